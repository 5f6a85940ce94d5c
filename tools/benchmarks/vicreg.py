"""VICReg's loss of two views, with its gradients.

The peer is lightly's VICRegLoss with its default weights, whose conventions
are ours: the variance terms of the views averaged, the covariance terms
summed. It holds the D x D covariance.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks._case import Case, Work, optional

VIEWS = ((256, 2048), (2048, 8192), (256, 8192))


def side(build: Callable, n: int, dims: int, device: str) -> Callable:
    """A side: the loss of two seeded views and its gradients."""

    def make() -> Work:
        loss = build()
        torch.manual_seed(0)
        # some dimensions above and some below the hinge
        scale = torch.linspace(0.2, 2.0, dims)
        views = [
            (scale * torch.randn(n, dims)).to(device).requires_grad_()
            for _ in range(2)
        ]

        def work() -> list[Tensor]:
            total = loss(*views)
            return [total, *torch.autograd.grad(total, views)]

        return work

    return make


def cases(device: str) -> list[Case]:
    """Each shape, samples x dimensions."""

    def ours() -> Callable[[Tensor, Tensor], Tensor]:
        from mcjepa_mm.models.losses import VICRegLoss

        loss = VICRegLoss()
        return lambda z1, z2: sum(loss(z1, z2).values())

    def lightly() -> Callable[[Tensor, Tensor], Tensor]:
        from lightly.loss import VICRegLoss

        return VICRegLoss()

    builds = {'ours': ours}
    builds |= optional({"lightly's VICRegLoss": lightly}, 'lightly.loss')
    # Imported here, so that they are no part of a side's memory.
    for build in builds.values():
        build()
    return [
        Case(
            shape=f'({n}, {dims})',
            sides={
                name: side(build, n, dims, device)
                for name, build in builds.items()
            },
            # per view, a product for the value and one for the gradient
            flops=2 * 2 * 2 * n * dims * min(n, dims),
            # per view, z read by both and its gradient written
            traffic=2 * 3 * 4 * n * dims,
        )
        for n, dims in VIEWS
    ]
