"""Features warped by a flow and masked where it leaves, both gradients.

The peer is mmflow's Warp as its own models use it, which normalises for
``align_corners=True`` and has to be told so. It samples a map of ones to find
what lies inside, where ours looks at the coordinates; the results are equal.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks._case import Case, Work, optional

# both directions of two pairs of 256 x 512, a fine and a coarse level
SHAPES = ((4, 48, 128, 256), (4, 384, 8, 16))


def ours() -> Callable[[Tensor, Tensor], Tensor]:
    """The package's, zeros outside."""
    from mcjepa_mm.models.flow import inside, warp

    return lambda feat, flow: warp(feat, flow, 'zeros') * inside(flow)


def mmflow() -> Callable[[Tensor, Tensor], Tensor]:
    """The peer."""
    from mmflow.models.utils.warp import Warp

    return Warp(align_corners=True)


def make(
    build: Callable,
    shape: tuple[int, ...],
    device: str,
    layout: torch.memory_format,
) -> Callable[[], Work]:
    """A side: the warped feature and the gradients of both inputs."""

    def side() -> Work:
        function = build()
        torch.manual_seed(0)
        n, _, h, w = shape
        feat = torch.randn(shape).to(device).contiguous(memory_format=layout)
        # Between the pixels: at a pixel the gradient jumps, and rounding
        # decides to which side.
        flow = 2 * torch.randn(n, 2, h, w).floor()
        flow = (flow + 0.1 + 0.8 * torch.rand(n, 2, h, w)).to(device)
        feat.requires_grad_()
        flow.requires_grad_()

        def work() -> list[Tensor]:
            warped = function(feat, flow)
            total = warped.square().mean()
            return [warped, *torch.autograd.grad(total, (feat, flow))]

        return work

    return side


def cases(device: str) -> list[Case]:
    """Each shape; every side has the layout that its models have."""
    peers = optional({"mmflow's Warp": mmflow}, 'mmflow.models')
    return [
        Case(
            shape=str(shape),
            sides={
                'ours': make(ours, shape, device, torch.channels_last),
                **{
                    name: make(peer, shape, device, torch.contiguous_format)
                    for name, peer in peers.items()
                },
            },
            # the feature read twice, the result written, its gradient read
            # and the feature's written
            traffic=5 * 4 * torch.Size(shape).numel(),
        )
        for shape in SHAPES
    ]
