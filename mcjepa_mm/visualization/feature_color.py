"""PCA coloring of feature maps."""

from dataclasses import dataclass

import numpy as np

_NO_VARIANCE = 1e-12  # of the whole second moment: that is rounding noise
_PERCENTILES = (1, 99)


@dataclass(frozen=True)
class FeatureColors:
    """PCA color map for one or more feature maps.

    Attributes:
        mean (np.ndarray): (C,).
        axes (np.ndarray): (C, K), K up to 3: the components, largest first.
        low (np.ndarray): (K,), what is black.
        high (np.ndarray): (K,), what is full.
        share (float): Part of the variance that lies in the components,
            0 to 1; 0 if there is none.
    """

    mean: np.ndarray
    axes: np.ndarray
    low: np.ndarray
    high: np.ndarray
    share: float

    def __call__(self, feat: np.ndarray) -> np.ndarray:
        """Color a feature map (C, H, W).

        Returns:
            np.ndarray: (H, W, 3) uint8, RGB = first, second, third
            component; a component without variance is mid-grey.
        """
        feat = np.asarray(feat)
        points = features_of(feat)
        rgb = np.full((len(points), 3), 0.5)
        components = (points - self.mean) @ self.axes
        width = np.maximum(self.high - self.low, 1e-300)
        rgb[:, : components.shape[1]] = (components - self.low) / width
        rgb = np.clip(rgb, 0, 1).reshape(*feat.shape[1:], 3)
        return (255 * rgb + 0.5).astype(np.uint8)


def fit_colors(points: np.ndarray) -> FeatureColors:
    """Fit the colors of features.

    Every component is stretched so that its 1st and 99th percentile are
    black and full. A component's sign is arbitrary; it is set so that its
    largest loading is positive, and the colors of slightly different
    features stay alike.

    Args:
        points (np.ndarray): (N, C), float64; see :func:`features_of`.

    Raises:
        ValueError: If a value is not finite.
    """
    if not np.isfinite(points).all():
        raise ValueError('features hold NaN or infinity')
    mean = points.mean(axis=0)
    centred = points - mean
    scatter = centred.T @ centred
    variance, axes = np.linalg.eigh(scatter)  # ascending
    variance, axes = variance[::-1][:3], axes[:, ::-1][:, :3]
    whole = np.trace(scatter)
    moment = whole + len(points) * np.square(mean).sum()
    number = int((variance > _NO_VARIANCE * max(moment, 1e-300)).sum())
    axes = axes[:, :number]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[largest, np.arange(number)])
    low, high = np.percentile(centred @ axes, _PERCENTILES, axis=0)
    share = variance[:number].sum() / whole if number else 0.0
    return FeatureColors(mean, axes, low, high, float(share))


def features_to_rgb(feat: np.ndarray) -> np.ndarray:
    """Color a feature map by its own three principal components.

    Args:
        feat (np.ndarray): (C, H, W).

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB = first, second, third component,
        stretched as :func:`fit_colors` says; a component without variance is
        mid-grey.

    Raises:
        ValueError: If the shape is not (C, H, W) or a value is not finite.
    """
    return fit_colors(features_of(feat))(feat)


def features_of(feat: np.ndarray) -> np.ndarray:
    """The features (H * W, C) of a map (C, H, W), float64."""
    feat = np.asarray(feat, dtype=np.float64)
    if feat.ndim != 3:
        raise ValueError(f'expected features (C, H, W), got {feat.shape}')
    return feat.reshape(len(feat), -1).T
