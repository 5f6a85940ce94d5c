"""Optical flow in the Middlebury colour wheel (Baker et al. 2011)."""

import numpy as np

from .contact_sheet import draw_text

# longer flow is not known, by Middlebury's file format
_UNKNOWN = 1e9


def flow_to_rgb(flow: np.ndarray, max_flow: float | None = None) -> np.ndarray:
    """Colour a flow field: hue is direction, saturation is length.

    Right is red, down yellow, left cyan, up violet; no motion is white;
    unknown flow (not finite, or longer than 1e9) is black. Flow longer than
    ``max_flow`` takes the full colour of its direction.

    The wheel is mmcv's, the mapping is not: ``mmcv.flow2rgb`` takes no
    ``max_flow``, and its out-of-range rule darkens some of the longest
    vectors, whose length it rounds to just above 1.

    Args:
        flow (np.ndarray): (2, H, W), x then y, pixels.
        max_flow (float, optional): Length in pixels that is drawn fully
            saturated. Defaults to None: the longest known vector's.

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB.

    Raises:
        ValueError: If the shape is not (2, H, W) or ``max_flow`` is not
            above 0.
    """
    import mmcv

    flow = np.asarray(flow, dtype=np.float64)
    if flow.ndim != 3 or flow.shape[0] != 2:
        raise ValueError(f'expected flow (2, H, W), got {flow.shape}')
    if max_flow is not None and not max_flow > 0:
        raise ValueError(f'max_flow must be above 0 px, got {max_flow}')

    known = np.isfinite(flow).all(axis=0) & (np.abs(flow) < _UNKNOWN).all(0)
    x, y = np.where(known, flow, 0)
    length = np.hypot(x, y)
    if max_flow is None:
        max_flow = length.max() or 1.0
    saturation = np.minimum(length / max_flow, 1)[..., None]

    wheel = mmcv.make_color_wheel().astype(np.float64)  # (55, 3), 0 to 1
    # + 0. turns -0. into 0.: pure right must be the wheel's first colour
    angle = np.arctan2(-(y + 0.0), -(x + 0.0)) / np.pi  # -1 (right) to 1
    position = (angle + 1) / 2 * (len(wheel) - 1)
    left = np.floor(position).astype(int)
    part = (position - left)[..., None]
    hue = (1 - part) * wheel[left] + part * wheel[(left + 1) % len(wheel)]
    rgb = 1 - saturation * (1 - hue)
    rgb[~known] = 0
    return (255 * rgb + 0.5).astype(np.uint8)


def flow_legend(size: int, max_flow: float | None = None) -> np.ndarray:
    """Draw the colour wheel that :func:`flow_to_rgb` uses.

    Args:
        size (int): Diameter of the wheel, pixels.
        max_flow (float, optional): Length of flow at the rim, pixels; it is
            written below the wheel. Defaults to None: no label.

    Returns:
        np.ndarray: (size or size + 24, size, 3) uint8, RGB, white outside.
    """
    import cv2

    axis = np.linspace(-1, 1, size)
    flow = np.stack(np.meshgrid(axis, axis))
    wheel = flow_to_rgb(flow, max_flow=1)
    wheel[np.hypot(*flow) > 1] = 255
    if max_flow is None:
        return wheel
    centre = size // 2
    cv2.line(
        wheel, (centre, centre), (size - 1, centre), (0, 0, 0), 1, cv2.LINE_AA
    )
    text = f'radius {max_flow:.1f} px'
    return np.concatenate([wheel, draw_text(text, size)])
