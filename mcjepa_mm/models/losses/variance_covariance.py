"""L_vc: keep every level of the encoder's pyramid from collapsing."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from .gather import gather_with_grad, world_size
from .precision import raise_precision
from .vicreg import covariance, variance


def sample_positions(feat: Tensor, max_samples: int) -> Tensor:
    """A feature map's positions as samples, at most ``max_samples`` of them.

    Positions are drawn anew at each call, without replacement and uniformly
    over images and places, from the device's default generator. If there are
    no more than ``max_samples``, all are taken in order and nothing is drawn.

    Args:
        feat (Tensor): (N, C, H, W).
        max_samples (int): Upper bound on the samples.

    Returns:
        Tensor: (M, C), M = min(N * H * W, max_samples).
    """
    samples = feat.movedim(1, -1).flatten(0, 2)
    if len(samples) <= max_samples:
        return samples
    drawn = torch.randperm(len(samples), device=feat.device)[:max_samples]
    return samples.index_select(0, drawn)


@MODELS.register_module()
class FeatureVCLoss(nn.Module):
    """Variance and covariance terms of VICReg on every pyramid level (P).

    The dimensions are the channels and the samples are images x positions,
    both frames together; C x H x W dimensions would make the covariance
    infeasible (I). Levels go **fine to coarse**, as everywhere in this
    package. The defaults are the paper's numbers (T), which are given deepest
    first there (I): variance 0.01, 0.01, 0.01, 0.01, 0.001, 0.0001 and
    covariance 0.04, 0.04, 0.001, 0, 0, 0.

    Args:
        variance (Sequence[float]): Weight of the variance hinge per level,
            fine to coarse.
        covariance (Sequence[float]): Weight of the covariance per level, fine
            to coarse. A level whose two weights are 0 costs nothing.
        max_samples (int): Samples per level over all processes together, so
            that the number of processes does not change the statistics. See
            :func:`sample_positions`. Defaults to 4096.
        gamma (float): Standard deviation that is enough. Defaults to 1.
        gather (bool): Take the statistics over the batches of all processes
            and not over each one's own. The paper does not say (?); True is
            VICReg's rule. Defaults to True.
        loss_weight (float): Weight of the whole, for ramps. Defaults to 1.

    Raises:
        ValueError: If the two sequences differ in length, all weights are 0,
            or ``max_samples`` is below 2.
    """

    def __init__(
        self,
        variance: Sequence[float] = (0.0001, 0.001, 0.01, 0.01, 0.01, 0.01),
        covariance: Sequence[float] = (0.0, 0.0, 0.0, 0.001, 0.04, 0.04),
        max_samples: int = 4096,
        gamma: float = 1.0,
        gather: bool = True,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if len(variance) != len(covariance):
            raise ValueError(
                'variance and covariance need one weight per level each, got '
                f'{len(variance)} and {len(covariance)} weights'
            )
        if not any((*variance, *covariance)):
            raise ValueError(
                f'all weights are 0, got variance={tuple(variance)} and '
                f'covariance={tuple(covariance)}: leave the loss out instead'
            )
        if max_samples < 2:
            raise ValueError(
                f'max_samples must be at least 2, got {max_samples}'
            )
        self.variance = tuple(variance)
        self.covariance = tuple(covariance)
        self.max_samples = max_samples
        self.gamma = gamma
        self.gather = gather
        self.loss_weight = loss_weight

    def forward(self, feats: Sequence[Tensor]) -> dict[str, Tensor]:
        """The two weighted terms, summed over levels.

        Args:
            feats (Sequence[Tensor]): (N, C, H, W) per level, fine to coarse.

        Returns:
            dict[str, Tensor]: Scalars ``variance`` and ``covariance``.

        Raises:
            ValueError: If there is not one weight per level, a level has
                fewer than 2 samples, or the processes' batches differ in
                size.
        """
        if len(feats) != len(self.variance):
            raise ValueError(
                f'{len(self.variance)} levels have weights, got {len(feats)} '
                'feature maps: give one variance and one covariance weight '
                'per level, fine to coarse'
            )
        weights = list(zip(self.variance, self.covariance))
        share = self.max_samples
        if self.gather:
            share = max(1, share // world_size())
        samples = [
            raise_precision(sample_positions(feat, share))
            for feat, weight in zip(feats, weights)
            if any(weight)
        ]
        if self.gather:
            samples = gather_with_grad(samples)
        spread = correlation = samples[0].new_zeros(())
        active = [weight for weight in weights if any(weight)]
        for z, (of_variance, of_covariance) in zip(samples, active):
            if of_variance:
                spread = spread + of_variance * variance(z, gamma=self.gamma)
            if of_covariance:
                correlation = correlation + of_covariance * covariance(z)
        return dict(
            variance=self.loss_weight * spread,
            covariance=self.loss_weight * correlation,
        )
