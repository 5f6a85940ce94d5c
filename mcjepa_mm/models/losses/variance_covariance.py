"""L_vc: variance and covariance terms on every level."""

from collections.abc import Sequence

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from ..precision import raise_precision
from .distributed import broadcast_from_rank0, gather_packed, global_indices
from .vicreg import covariance_loss, variance_loss


def sample_positions(
    feat: Tensor, order: Tensor, count: int, numbers: Tensor
) -> Tensor:
    """Sample positions of every map of a batch.

    Map number i takes ``count`` consecutive entries of ``order`` from
    ``i * count`` on, around its end. In a random order that is a draw without
    replacement in each map, and maps share no place before all are taken. It
    depends on a map's number only and not on which others are with it.

    Args:
        feat (Tensor): (N, C, H, W).
        order (Tensor): (H * W,), the positions in some order, int64.
        count (int): Samples of each map, H * W at most.
        numbers (Tensor): (N,), number of each map, int64.

    Returns:
        Tensor: (N * count, C).
    """
    places = len(order)
    rank = numbers[:, None] * count + torch.arange(count, device=feat.device)
    first = torch.arange(len(feat), device=feat.device)[:, None] * places
    samples = feat.movedim(1, -1).flatten(0, 2)
    return samples.index_select(0, (first + order[rank % places]).flatten())


@MODELS.register_module()
class FeatureVCLoss(nn.Module):
    """Variance and covariance terms of VICReg on every pyramid level (P).

    The dimensions are the channels and the samples are images x positions,
    both frames together; C x H x W dimensions would make the covariance
    infeasible (I). Levels go **fine to coarse**, as everywhere in this
    package. The defaults are the paper's numbers (T), which are given deepest
    first there (I): variance 0.01, 0.01, 0.01, 0.01, 0.001, 0.0001 and
    covariance 0.04, 0.04, 0.001, 0, 0, 0.

    Neither term sees the mean of the features, and a mean that is large
    beside what varies is what the other terms of the flow leave: they ask for
    features that are alike. ``mean`` holds it down (I, not in the paper).

    Args:
        variance (Sequence[float]): Weight of the variance hinge per level,
            fine to coarse.
        covariance (Sequence[float]): Weight of the covariance per level, fine
            to coarse. A level whose weights are all 0 costs nothing.
        mean (Sequence[float], optional): Weight per level, fine to coarse, of
            the mean over channels of the square of their mean over samples.
            Defaults to None: there is no such term.
        max_samples (int): Samples per level over all processes together: of
            a level with more, every map gives the same number of positions
            (at least one), drawn anew at each call. Process 0 draws for all,
            so that the samples are the same whatever the number of
            processes. See :func:`sample_positions`. Defaults to 4096.
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
        mean: Sequence[float] | None = None,
        max_samples: int = 4096,
        gamma: float = 1.0,
        gather: bool = True,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        mean = (0.0,) * len(variance) if mean is None else tuple(mean)
        if not len(variance) == len(covariance) == len(mean):
            raise ValueError(
                'variance, covariance and mean need one weight per level '
                f'each, got {len(variance)}, {len(covariance)} and '
                f'{len(mean)} weights'
            )
        if not any((*variance, *covariance, *mean)):
            raise ValueError(
                f'all weights are 0, got variance={tuple(variance)}, '
                f'covariance={tuple(covariance)} and mean={mean}: leave the '
                'loss out instead'
            )
        if max_samples < 2:
            raise ValueError(
                f'max_samples must be at least 2, got {max_samples}'
            )
        self.variance = tuple(variance)
        self.covariance = tuple(covariance)
        self.mean = mean
        self.max_samples = max_samples
        self.gamma = gamma
        self.gather = gather
        self.loss_weight = loss_weight

    def forward(
        self, feats: Sequence[Tensor], num_views: int = 1
    ) -> dict[str, Tensor]:
        """The weighted terms, summed over levels.

        Args:
            feats (Sequence[Tensor]): (N, C, H, W) per level, fine to coarse;
                of one shape on every process, which :class:`FlowHead` checks.
            num_views (int): How many of the N, one after the other, are views
                of one training sample. It decides which positions are drawn
                for which map. Defaults to 1.

        Returns:
            dict[str, Tensor]: Scalars ``variance`` and ``covariance``, and
            ``mean`` if it has a weight.

        Raises:
            ValueError: If there is not one weight per level, or a level has
                fewer than 2 samples.
        """
        if len(feats) != len(self.variance):
            raise ValueError(
                f'{len(self.variance)} levels have weights, got {len(feats)} '
                'feature maps: give one variance and one covariance weight '
                'per level, fine to coarse'
            )
        weights = list(zip(self.variance, self.covariance, self.mean))
        samples = self._samples(
            [f for f, weight in zip(feats, weights) if any(weight)], num_views
        )
        samples = [raise_precision(x) for x in samples]
        if self.gather:
            samples = [x.flatten(0, 1) for x in gather_packed(samples)]
        std_loss = cov_loss = constant = samples[0].new_zeros(())
        active = [weight for weight in weights if any(weight)]
        for z, (of_variance, of_covariance, of_mean) in zip(samples, active):
            if of_mean:
                constant = constant + of_mean * z.mean(0).square().mean()
            if of_variance:
                std_loss = std_loss + of_variance * variance_loss(
                    z, gamma=self.gamma
                )
            if of_covariance:
                cov_loss = cov_loss + of_covariance * covariance_loss(z)
        terms = dict(
            variance=self.loss_weight * std_loss,
            covariance=self.loss_weight * cov_loss,
        )
        if any(self.mean):
            terms['mean'] = self.loss_weight * constant
        return terms

    def _samples(self, feats: list[Tensor], num_views: int) -> list[Tensor]:
        """All positions of small levels, a sample of large ones."""
        world = get_world_size() if self.gather else 1
        count = max(1, self.max_samples // (len(feats[0]) * world))
        sizes = [f.shape[-2:].numel() for f in feats]
        if max(sizes) <= count:
            return [f.movedim(1, -1).flatten(0, 2) for f in feats]
        device = feats[0].device
        orders = torch.cat([torch.randperm(x, device=device) for x in sizes])
        if self.gather:
            orders = broadcast_from_rank0(orders)
        numbers = global_indices(len(feats[0]) // num_views, device)
        views = torch.arange(num_views, device=device)
        numbers = (numbers[:, None] * num_views + views).flatten()
        return [
            sample_positions(f, order, min(count, size), numbers)
            for f, order, size in zip(feats, orders.split(sizes), sizes)
        ]
