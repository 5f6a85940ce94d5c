"""Random crops of frame pairs with independent offsets."""

from collections.abc import Sequence

import numpy as np

Corner = tuple[int, int]  # row and column of the upper left pixel


def draw_corners(
    size: Sequence[int],
    crop_size: Sequence[int],
    *,
    max_offset: int = 0,
) -> list[Corner]:
    """Draw the crop offsets of a pair of frames.

    The first window is anywhere in its frame. The second is anywhere at
    most ``max_offset`` rows and columns away from the first. An encoder whose
    features tell where in the picture they are, as zero padding lets them,
    cannot match such frames by it (arXiv 2105.05838), and the motion between
    the windows is longer than that of the world.

    Args:
        size (Sequence[int]): Height and width of the frames in pixels.
        crop_size (Sequence[int]): Height and width of the windows, no larger.
        max_offset (int): Pixels, in each direction. With 0, the default, both
            windows are at one place.

    Returns:
        list[tuple[int, int]]: Row and column of each window's first pixel,
        from NumPy's global generator.
    """
    room = [a - b for a, b in zip(size, crop_size)]
    row, column = (np.random.randint(r + 1) for r in room)
    y, x = row, column
    if max_offset:
        y, x = (
            np.random.randint(
                max(0, a - max_offset), min(r, a + max_offset) + 1
            )
            for a, r in zip((row, column), room)
        )
    return [(row, column), (y, x)]


def cut(frame: np.ndarray, corner: Corner, size: Sequence[int]) -> np.ndarray:
    """Crop a map (..., H, W).

    Returns:
        np.ndarray: (..., height, width), a view.
    """
    (top, left), (height, width) = corner, size
    return frame[..., top : top + height, left : left + width]


def cut_flow(
    flow: np.ndarray,
    occlusion: np.ndarray,
    source: Corner,
    target: Corner,
    size: Sequence[int],
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the flow between two crops.

    Args:
        flow (np.ndarray): (2, H, W), x then y, of the whole frames.
        occlusion (np.ndarray): (H, W) bool.
        source (tuple[int, int]): Where the frame of the flow is cut.
        target (tuple[int, int]): Where the frame that it leads to is cut.
        size (Sequence[int]): Height and width of the windows.

    Returns:
        tuple[np.ndarray]: (2, height, width), pixels of the windows; and
        (height, width) bool, what the other window does not show as well.
    """
    height, width = size
    rows, columns = np.subtract(source, target)
    moved = np.array([columns, rows], np.float32)[:, None, None]
    cropped = cut(flow, source, size) + moved
    x = cropped[0] + np.arange(width)
    y = cropped[1] + np.arange(height)[:, None]
    outside = (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)
    return cropped, cut(occlusion, source, size) | outside
