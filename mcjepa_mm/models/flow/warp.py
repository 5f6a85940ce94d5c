"""Backward warping: the one place where the direction of a flow is fixed.

``flow`` is the motion from frame t to frame t + 1, on the grid of frame t:
the surface seen at x in frame t is at ``x + flow(x)`` in frame t + 1. Warping
frame t + 1 (or its features) samples it there, so the result is to be
compared with frame t. Ground truth of KITTI and Sintel has this form.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..exporting import is_exporting


def target_coordinates(flow: Tensor) -> Tensor:
    """Target coordinates of each pixel.

    Args:
        flow (Tensor): (N, 2, H, W), x then y, pixels of its own level.

    Returns:
        Tensor: (N, 2, H, W), ``x + flow(x)`` in pixels, in float32 or more:
        half precision cannot tell neighbouring pixels apart beyond 256.
    """
    h, w = flow.shape[-2:]
    dtype = torch.promote_types(flow.dtype, torch.float32)
    x = torch.arange(w, device=flow.device, dtype=dtype)
    y = torch.arange(h, device=flow.device, dtype=dtype)
    grid = torch.stack(torch.meshgrid(x, y, indexing='xy'))
    return grid + flow


def inside(flow: Tensor) -> Tensor:
    """Mask of the pixels whose target is inside the other frame.

    Args:
        flow (Tensor): (N, 2, H, W), pixels of its own level.

    Returns:
        Tensor: (N, 1, H, W), 1 where the target is inside, else 0.
    """
    h, w = flow.shape[-2:]
    x, y = target_coordinates(flow.detach()).unbind(1)
    kept = (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
    return kept.unsqueeze(1).to(x.dtype)


def warp(source: Tensor, flow: Tensor, padding_mode: str = 'border') -> Tensor:
    """Sample ``source`` at ``x + flow(x)``, bilinearly.

    Args:
        source (Tensor): (N, C, H, W), frame t + 1 or its features.
        flow (Tensor): (N, 2, H, W), from t to t + 1, pixels of this level.
        padding_mode (str): What lies outside: 'border' repeats the edge,
            'zeros' is 0. Defaults to 'border'.

    Returns:
        Tensor: (N, C, H, W), aligned with frame t, in the source's dtype.

    Raises:
        ValueError: If the sizes do not fit.
    """
    n, _, h, w = source.shape
    if flow.shape != (n, 2, h, w):
        raise ValueError(
            f'To warp a source of shape {tuple(source.shape)} '
            f'the flow must be {(n, 2, h, w)}, got '
            f'{tuple(flow.shape)}.'
        )
    target = target_coordinates(flow)
    # grid_sample wants -1 and 1 at the centres of the corner pixels
    # (align_corners=True); in half precision it is wrong even for the
    # identity, so it runs in the coordinates' float32.
    size = _numbers(w - 1, h - 1, like=target)
    sampled = F.grid_sample(
        source.to(target.dtype),
        target.permute(0, 2, 3, 1) * (2 / size) - 1,
        mode='bilinear',
        padding_mode=padding_mode,
        align_corners=True,
    )
    return sampled.to(source.dtype)


def resize_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a flow and scale its values.

    Args:
        flow (Tensor): (N, 2, h, w), pixels of its own level.
        size (tuple[int, int]): Height and width (H, W) to come to.

    Returns:
        Tensor: (N, 2, H, W), pixels of the new level.
    """
    h, w = flow.shape[-2:]
    if (h, w) == tuple(size):
        return flow
    resized = F.interpolate(
        flow, size=size, mode='bilinear', align_corners=False
    )
    scale = _numbers(size[1], size[0], like=flow) / _numbers(w, h, like=flow)
    return resized * scale.view(1, 2, 1, 1)


def _numbers(*sizes: int, like: Tensor) -> Tensor:
    """A tensor of sizes, at least 1 each.

    In an exported graph they stay those of its inputs, where new_tensor
    would fix them, and max() its outcome.
    """
    if not is_exporting():
        return like.new_tensor([max(size, 1) for size in sizes])
    numbers = [
        # torch.jit.trace has tensors for sizes
        size.to(like)
        if isinstance(size, Tensor)
        else torch.scalar_tensor(size, dtype=like.dtype, device=like.device)
        for size in sizes
    ]
    return torch.stack(numbers).clamp(min=1)
