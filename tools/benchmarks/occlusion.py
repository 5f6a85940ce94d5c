"""Which pixels the flows of both directions call visible, no gradient.

The peers are mmflow's two functions. Its range map has a threshold of 1,
which ours is given here, and the results are equal. Its forward-backward check
doubles the forward flow where the formula squares it, so as many operations
come to another mask, which is not compared.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks._case import Case, Work, optional

SHAPE = (4, 2, 256, 512)  # both directions of two pairs


def our_range_map() -> Callable[[Tensor, Tensor], Tensor]:
    """The package's, with the peer's threshold."""
    from mcjepa_mm.models.flow import range_map_visibility

    return lambda _, backward: range_map_visibility(backward, threshold=1.0)


def our_check() -> Callable[[Tensor, Tensor], Tensor]:
    """The package's."""
    from mcjepa_mm.models.flow import forward_backward_visibility

    return forward_backward_visibility


def mmflow_range_map() -> Callable[[Tensor, Tensor], Tensor]:
    """The peer; it computes on a CPU only."""
    from mmflow.models.utils.occlusion_estimation import compute_range_map

    return lambda _, backward: compute_range_map(backward)


def mmflow_check() -> Callable[[Tensor, Tensor], Tensor]:
    """The peer."""
    from mmflow.models.utils.occlusion_estimation import (
        forward_backward_consistency,
    )

    return forward_backward_consistency


def make(build: Callable, device: str) -> Callable[[], Work]:
    """A side: the mask of a flow and of its inverse with some noise."""

    def side() -> Work:
        function = build()
        torch.manual_seed(0)
        flow = (2 * torch.randn(SHAPE)).to(device)
        backward = -flow + 0.5 * torch.randn(SHAPE).to(device)

        def work() -> list[Tensor]:
            with torch.no_grad():
                return [function(flow, backward)]

        return work

    return side


def cases(device: str) -> list[Case]:
    """The forward-backward check and the range map."""
    rows = [('forward-backward', our_check, mmflow_check, None)]
    if device == 'cpu':
        rows.append(('range map', our_range_map, mmflow_range_map, 1e-3))
    pixels = torch.Size(SHAPE).numel() // 2
    return [
        Case(
            shape=f'{name}, {SHAPE}',
            sides={
                'ours': make(mine, device),
                **optional({"mmflow's": make(peer, device)}, 'mmflow.models'),
            },
            # both flows (the range map: one) read, the mask written
            traffic=4 * pixels * (5 if mine is our_check else 3),
            tolerance=tolerance,
        )
        for name, mine, peer, tolerance in rows
    ]
