"""Variance and covariance of the encoder's maps, and their gradients.

The maps of two pairs of 256 x 512 by ConvNeXt-T, the recipe's weights. The
peer is the way that the formula suggests: all positions of every map are
samples, and the off-diagonal of the D x D covariance is squared and summed.
With all positions ours come to the same; with the recipe's 4096 a level they
are an estimate, which is not compared.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from benchmarks._case import Case, Work
from benchmarks.plain_losses import covariance, variance

CHANNELS = (48, 48, 96, 192, 384, 768)
STRIDES = (2, 4, 8, 16, 32, 64)
MAPS, HEIGHT, WIDTH = 4, 256, 512
VARIANCE = (0.0001, 0.001, 0.01, 0.01, 0.01, 0.01)
COVARIANCE = (0.0, 0.0, 0.0, 0.001, 0.04, 0.04)


def sampled(feats: Sequence[Tensor], max_samples: int) -> Tensor:
    """The package's, without its gathering."""
    from mcjepa_mm.models.losses import FeatureVCLoss

    loss = FeatureVCLoss(
        VARIANCE, COVARIANCE, max_samples=max_samples, gather=False
    )
    return sum(loss(feats, num_views=2).values())


def plain(feats: Sequence[Tensor]) -> Tensor:
    """All positions and the D x D covariance."""
    total = 0.0
    for feat, of_variance, of_covariance in zip(feats, VARIANCE, COVARIANCE):
        z = feat.permute(0, 2, 3, 1).reshape(-1, feat.shape[1])
        total = total + of_variance * variance(z)
        if of_covariance:
            total = total + of_covariance * covariance(z)
    return total


def make(function: Callable, device: str) -> Callable[[], Work]:
    """A side: the sum of the terms and the gradients of the maps."""

    def side() -> Work:
        torch.manual_seed(0)
        feats = [
            (0.5 * torch.randn(MAPS, c, HEIGHT // s, WIDTH // s))
            .to(device)
            .contiguous(memory_format=torch.channels_last)
            .requires_grad_()
            for c, s in zip(CHANNELS, STRIDES)
        ]

        def work() -> list[Tensor]:
            total = function(feats)
            return [total, *torch.autograd.grad(total, feats)]

        return work

    return side


def cases(device: str) -> list[Case]:
    """The recipe's samples, then all positions."""
    positions = [MAPS * (HEIGHT // s) * (WIDTH // s) for s in STRIDES]
    rows = []
    for name, most, tolerance in (
        ('ours at 4096 positions', 4096, None),
        ('all positions', max(positions), 1e-3),
    ):
        samples = [min(x, most) for x in positions]
        sizes = [(n, c) for n, c in zip(samples, CHANNELS)]
        rows.append(
            Case(
                shape=f'{name} of 6 levels',
                sides={
                    'ours': make(
                        lambda feats, most=most: sampled(feats, most), device
                    ),
                    'all positions, D x D': make(plain, device),
                },
                # a product of the smaller side, whole, and its gradient
                flops=sum(
                    2 * 2 * n * c * min(n, c)
                    for (n, c), weight in zip(sizes, COVARIANCE)
                    if weight
                ),
                # the samples read, the gradient of all positions written
                traffic=4
                * sum(
                    (n + total) * c for (n, c), total in zip(sizes, positions)
                ),
                tolerance=tolerance,
            )
        )
    return rows
