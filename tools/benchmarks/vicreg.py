"""VICReg's loss of two views and the gradients of both.

The peer is lightly's VICRegLoss with its default weights. Its conventions are
ours, the official code's: the variance terms of the views averaged, the
covariance terms summed. It holds the D x D covariance, which is as large as
the largest of the expander's weights.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks._case import Case, Work, optional

SHAPES = ((256, 2048), (2048, 8192), (256, 8192))


def ours() -> Callable[[Tensor, Tensor], Tensor]:
    """The sum of the three terms of the package's."""
    from mcjepa_mm.models.losses import VICRegLoss

    loss = VICRegLoss()
    return lambda z1, z2: sum(loss(z1, z2).values())


def lightly() -> Callable[[Tensor, Tensor], Tensor]:
    """The peer, which returns the sum."""
    from lightly.loss import VICRegLoss

    return VICRegLoss()


def make(build: Callable, n: int, dims: int, device: str) -> Callable:
    """A side: loss and gradients of two views."""

    def side() -> Work:
        loss = build()
        generator = torch.Generator().manual_seed(0)
        # some dimensions above and some below the hinge
        scale = torch.linspace(0.2, 2.0, dims)
        views = [
            (scale * torch.randn(n, dims, generator=generator))
            .to(device)
            .requires_grad_()
            for _ in range(2)
        ]

        def work() -> list[Tensor]:
            total = loss(*views)
            return [total, *torch.autograd.grad(total, views)]

        return work

    return side


def cases(device: str) -> list[Case]:
    """Each shape, samples x dimensions."""
    peers = optional({"lightly's VICRegLoss": lightly}, 'lightly.loss')
    # Imported here, so that they are no part of a side's memory.
    for build in (ours, *peers.values()):
        build()
    return [
        Case(
            shape=f'({n}, {dims})',
            sides={
                name: make(build, n, dims, device)
                for name, build in {'ours': ours, **peers}.items()
            },
            # per view, a product for the value and one for the gradient
            flops=2 * 2 * 2 * n * dims * min(n, dims),
            # per view, z read by both and its gradient written
            traffic=2 * 3 * 4 * n * dims,
        )
        for n, dims in SHAPES
    ]
