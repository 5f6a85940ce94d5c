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
        points = _points(feat)
        rgb = np.full((len(points), 3), 0.5)
        components = (points - self.mean) @ self.axes
        width = np.maximum(self.high - self.low, 1e-300)
        rgb[:, : components.shape[1]] = (components - self.low) / width
        rgb = np.clip(rgb, 0, 1).reshape(*feat.shape[1:], 3)
        return (255 * rgb + 0.5).astype(np.uint8)


class FeatureStatistics:
    """Streaming PCA statistics over feature maps.

    Its memory does not grow with the number of maps.

    Args:
        max_sample (int): Features that are kept, chosen at random, to tell
            the range of a component from. Defaults to 16384.
    """

    def __init__(self, max_sample: int = 16384) -> None:
        self._max_sample = max_sample
        self._rng = np.random.default_rng(0)
        self._count = 0

    def add(self, feat: np.ndarray) -> None:
        """Take in a feature map (C, H, W), with as many channels as before."""
        points = _points(feat)
        if not np.isfinite(points).all():
            raise ValueError('features hold NaN or infinity')
        count, channels = points.shape
        if not self._count:
            self._mean = np.zeros(channels)
            self._scatter = np.zeros((channels, channels))
            self._sample = np.empty((0, channels))
            self._keys = np.empty(0)
        if channels != len(self._mean):
            raise ValueError(
                f'expected features of {len(self._mean)} channels as before, '
                f'got {channels}'
            )
        # Two groups' scatter about their common mean (Chan et al. 1983);
        # sums of squares would lose the digits of a small variance.
        mean = points.mean(axis=0)
        centred = points - mean
        apart = mean - self._mean
        total = self._count + count
        self._scatter += centred.T @ centred
        self._scatter += np.outer(apart, apart) * self._count * count / total
        self._mean += apart * count / total
        self._count = total
        # All have a random key, the lowest keys stay: a uniform sample.
        keys = np.concatenate([self._keys, self._rng.random(count)])
        sample = np.concatenate([self._sample, points])
        if total > self._max_sample:
            kept = np.argpartition(keys, self._max_sample)[: self._max_sample]
            keys, sample = keys[kept], sample[kept]
        self._keys, self._sample = keys, sample

    def colors(self) -> FeatureColors:
        """The colours of all maps so far.

        Every component is stretched so that its 1st and 99th percentile are
        black and full. A component's sign is arbitrary; it is set so that its
        largest loading is positive, and the colours of slightly different
        features stay alike.
        """
        if not self._count:
            raise ValueError('expected at least one feature map, got none')
        variance, axes = np.linalg.eigh(self._scatter)  # ascending
        variance, axes = variance[::-1][:3], axes[:, ::-1][:, :3]
        whole = np.trace(self._scatter)
        moment = whole + self._count * np.square(self._mean).sum()
        number = int((variance > _NO_VARIANCE * max(moment, 1e-300)).sum())
        axes = axes[:, :number]
        largest = np.abs(axes).argmax(axis=0)
        axes = axes * np.sign(axes[largest, np.arange(number)])
        components = (self._sample - self._mean) @ axes
        low, high = np.percentile(components, _PERCENTILES, axis=0)
        share = variance[:number].sum() / whole if number else 0.0
        return FeatureColors(self._mean.copy(), axes, low, high, float(share))


def features_to_rgb(feat: np.ndarray) -> np.ndarray:
    """Colour a feature map by its own three principal components.

    Args:
        feat (np.ndarray): (C, H, W).

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB = first, second, third component,
        stretched as :meth:`FeatureStatistics.colors` says; a component
        without variance is mid-grey.

    Raises:
        ValueError: If the shape is not (C, H, W) or a value is not finite.
    """
    feat = np.asarray(feat)
    return own_colors(feat)(feat)


def own_colors(feat: np.ndarray) -> FeatureColors:
    """The colours of one feature map (C, H, W), by all of its features."""
    statistics = FeatureStatistics(max_sample=max(1, feat.size))
    statistics.add(feat)
    return statistics.colors()


def _points(feat: np.ndarray) -> np.ndarray:
    """The features (H * W, C) of a map (C, H, W), float64."""
    feat = np.asarray(feat, dtype=np.float64)
    if feat.ndim != 3:
        raise ValueError(f'expected features (C, H, W), got {feat.shape}')
    return feat.reshape(len(feat), -1).T
