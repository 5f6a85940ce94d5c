"""Feature maps as colours: their first three principal components."""

import numpy as np


def features_to_rgb(feat: np.ndarray) -> np.ndarray:
    """Project a feature map on its three principal components.

    Every component is stretched so that its 1st and 99th percentile are
    black and full. A component's sign is arbitrary; it is set so that its
    largest loading is positive, and the colours of slightly different
    features stay alike.

    Args:
        feat (np.ndarray): (C, H, W).

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB = first, second, third component; a
        component without variance is mid-grey.

    Raises:
        ValueError: If the shape is not (C, H, W) or a value is not finite.
    """
    feat = np.asarray(feat, dtype=np.float64)
    if feat.ndim != 3:
        raise ValueError(f'expected features (C, H, W), got {feat.shape}')
    if not np.isfinite(feat).all():
        raise ValueError('features hold NaN or infinity')
    channels, height, width = feat.shape
    points = feat.reshape(channels, -1).T
    points = points - points.mean(axis=0)
    variance, axes = np.linalg.eigh(points.T @ points)  # ascending
    rgb = np.full((height * width, 3), 0.5)
    for i in range(min(3, channels)):
        # relative to the whole: rounding noise is not a component
        if variance[-1 - i] <= 1e-12 * max(np.square(feat).sum(), 1e-300):
            break
        axis = axes[:, -1 - i]
        axis = axis * np.sign(axis[np.abs(axis).argmax()])
        component = points @ axis
        low, high = np.percentile(component, (1, 99))
        rgb[:, i] = (component - low) / max(high - low, 1e-300)
    rgb = np.clip(rgb, 0, 1).reshape(height, width, 3)
    return (255 * rgb + 0.5).astype(np.uint8)
