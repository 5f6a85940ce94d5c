"""Occlusion masks of frame t: visible = 1, (N, 1, H, W).

A pixel may be hidden behind another surface or leave the frame; both count
as not visible. No gradient passes through a mask, otherwise the easiest flow
is the one that calls everything occluded.
"""

import torch
from torch import Tensor

from .warp import inside, target_coordinates, warp


@torch.no_grad()
def forward_backward_visibility(
    flow: Tensor, backward: Tensor, alpha: float = 0.01, beta: float = 0.5
) -> Tensor:
    r"""Visibility by forward-backward consistency.

    .. math::
        |f + b'|^2 \le \alpha (|f|^2 + |b'|^2) + \beta, \quad
        b'(x) = b(x + f(x))

    The paper leaves pixels out that fail a forward-backward check (p), its
    threshold is open (?); these are the peers' values (DDFlow, UFlow).

    Args:
        flow (Tensor): f, (N, 2, H, W), from t to t + 1.
        backward (Tensor): b, (N, 2, H, W), from t + 1 to t.
        alpha (float): Tolerance relative to the motion. Defaults to 0.01.
        beta (float): Tolerance in square pixels. Defaults to 0.5.

    Returns:
        Tensor: (N, 1, H, W), 1 = visible.
    """
    returned = warp(backward, flow)
    gap = (flow + returned).square().sum(1, keepdim=True)
    motion = (flow.square() + returned.square()).sum(1, keepdim=True)
    return (gap <= alpha * motion + beta).to(flow.dtype) * inside(flow)


@torch.no_grad()
def range_map_visibility(backward: Tensor, threshold: float = 0.5) -> Tensor:
    """Visibility by the range map of the backward flow.

    Every pixel of frame t + 1 is pushed along the backward flow and leaves
    its weight, bilinearly, on the four pixels of frame t around its target.
    Where hardly anything arrives the surface of frame t is gone. (Wang et
    al., arXiv 1711.05890, used by UFlow.) Unlike the forward-backward check
    it is meaningful early in training.

    Args:
        backward (Tensor): (N, 2, H, W), from t + 1 to t.
        threshold (float): Least weight of a visible pixel. Defaults to 0.5.

    Returns:
        Tensor: (N, 1, H, W), 1 = visible.
    """
    n, _, h, w = backward.shape
    x, y = target_coordinates(backward).flatten(2).unbind(1)
    left, top = x.floor(), y.floor()
    arrived = x.new_zeros(n, h * w)
    for corner_x, corner_y in (
        (left, top),
        (left + 1, top),
        (left, top + 1),
        (left + 1, top + 1),
    ):
        weight = (1 - (x - corner_x).abs()) * (1 - (y - corner_y).abs())
        kept = (
            (corner_x >= 0) & (corner_x < w) & (corner_y >= 0) & (corner_y < h)
        )
        index = corner_y.clamp(0, h - 1) * w + corner_x.clamp(0, w - 1)
        arrived.scatter_add_(1, index.long(), weight * kept)
    return (arrived >= threshold).to(backward.dtype).view(n, 1, h, w)
