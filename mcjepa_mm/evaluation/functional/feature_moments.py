"""Decompose features into a constant, a position code and the rest.

The figures are those of second moments, which are gathered picture by
picture, so that memory does not grow with the number of pictures.
"""

import math

import torch
from torch import Tensor

from .collapse import effective_rank

_NO_VARIANCE = 1e-12  # of the energy: that is rounding noise of float32


class FeatureMoments:
    """First and second moments of the feature maps of many pictures.

    Pictures count as independent draws. Frames of one clip are not; where
    there are several, the clips are what counts. All sums are in float64.

    Args:
        frames_per_clip (int): K. Defaults to 1: independent pictures.

    Attributes:
        num_clips (int): Clips, or single pictures, so far.
        num_cells (int): Feature vectors so far.
    """

    _sum: Tensor  # from the first maps on

    def __init__(self, frames_per_clip: int = 1) -> None:
        self.frames_per_clip = frames_per_clip
        self.num_clips = self.num_cells = 0

    def add(self, feats: Tensor) -> None:
        """Add the maps of a batch of images.

        Args:
            feats (Tensor): (N * K, C, H, W), those of a clip one after the
                other.

        Raises:
            ValueError: If the shape does not fit, here or to what was added
                before, or a value is not finite.
        """
        if (
            feats.dim() != 4
            or not len(feats)
            or len(feats) % self.frames_per_clip
            or (self.num_clips and feats.shape[1:] != self._sum.shape)
        ):
            raise ValueError(
                'expected maps (N * K, C, H, W) of clips of '
                f'K = {self.frames_per_clip} frames, of the same C, H, W '
                f'each time, got {tuple(feats.shape)}'
            )
        if not feats.isfinite().all():
            raise ValueError('features hold NaN or infinity')
        if not self.num_clips:
            self._sum = feats.new_zeros(feats.shape[1:], dtype=torch.double)
            channels = len(self._sum)
            self._outer = self._sum.new_zeros(channels, channels)
            self._clip_energy = self._clip_means = 0.0
        feats = feats.double()
        clips = feats.unflatten(0, (-1, self.frames_per_clip)).mean(dim=1)
        cells = feats.transpose(0, 1).flatten(1)
        self.num_clips += len(clips)
        self.num_cells += cells.shape[1]
        self._sum += clips.sum(dim=0)
        self._outer += cells @ cells.T
        self._clip_energy += clips.square().sum().item()
        self._clip_means += clips.mean(dim=(2, 3)).square().sum().item()

    @property
    def mean(self) -> Tensor:
        """(C,) the mean over all cells."""
        return self._sum.mean(dim=(1, 2)) / self.num_clips

    @property
    def energy(self) -> float:
        """Mean squared length of a feature vector."""
        return self._outer.trace().item() / self.num_cells

    @property
    def covariance(self) -> Tensor:
        """(C, C) of all cells about :attr:`mean`, not corrected for N."""
        return self._outer / self.num_cells - self.mean.outer(self.mean)

    def eigenvalues(self) -> Tensor:
        """(C,) of the covariance, largest first; zeros if nothing varies."""
        values = torch.linalg.eigvalsh(self.covariance).flip(0).clamp(min=0)
        if values.sum() <= _NO_VARIANCE * self.energy:
            return torch.zeros_like(values)
        return values

    def constant_share(self) -> float:
        """``||E x||^2 / E ||x||^2``: 1 when all features are one vector.

        Returns:
            float: 0 to 1; 1 if all features are 0.
        """
        if self.energy == 0:
            return 1.0
        return min(1.0, self.mean.square().sum().item() / self.energy)

    def position_share(self) -> float:
        """Share of the variance that the absolute position explains.

        The variance of the means of the positions over the variance of all
        cells about their mean. The mean of N clips at a position is noisy,
        so that its variance would be above 0 without any position code. What
        the noise adds is estimated from the interaction of clips and
        positions, as in an analysis of variance of randomised blocks (clips
        are the blocks), and taken off. This is unbiased also where the cells
        of a picture are alike, as they are; a one-way analysis would then
        take off too much.

        Returns:
            float: 0 to 1; NaN if there are not two clips and two positions,
            or nothing varies.
        """
        num, places = self.num_clips, self._sum[0].numel()
        if num < 2 or places < 2 or not self.eigenvalues().any():
            return math.nan
        mean = self.mean.square().sum().item()
        at_places = (self._sum / num).square().sum().item()
        # sums of squares: between positions, between clips, and all; of the
        # maps' means over a clip's frames
        positions = num * (at_places - places * mean)
        clips = places * (self._clip_means - num * mean)
        total = self._clip_energy - num * places * mean
        noise = (total - positions - clips) / (num - 1)
        explained = max(0.0, (positions - noise) / (num * places))
        # of single cells about the true mean of their position
        within = self.energy - at_places / places
        within += (total - positions) / (num * places * (num - 1))
        return explained / (explained + within)

    def rank(self) -> float:
        """RankMe of the centred features, 1 to :attr:`max_rank`."""
        return effective_rank(self.eigenvalues().sqrt())

    @property
    def max_rank(self) -> int:
        """Highest rank of centred features of this many cells."""
        return min(len(self._sum), self.num_cells - 1)

    def top_direction_share(self) -> float:
        """Share of the variance in the first principal direction.

        Returns:
            float: 1 / C to 1; NaN if nothing varies.
        """
        values = self.eigenvalues()
        return (values[0] / values.sum()).item()
