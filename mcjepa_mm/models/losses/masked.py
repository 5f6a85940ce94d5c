"""Mean over visible pixels, for losses on warped images."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..precision import full_precision
from .distributed import mean_over_processes


def mask_sums(masks: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """Sum of each mask, averaged over the processes.

    All masks travel in one collective.

    Args:
        masks (Sequence[Tensor]): L masks of any shapes.
        dtype (torch.dtype): What to sum in.

    Returns:
        Tensor: (L,), without a gradient.
    """
    sums = [mask.detach().to(dtype).sum() for mask in masks]
    return mean_over_processes(torch.stack(sums))


@full_precision
def masked_mean(
    error: Tensor, mask: Tensor, mask_sum: Tensor | None = None
) -> Tensor:
    r"""Mean of an error over channels and visible pixels.

    .. math:: \sum m\, e \,/\, (C \sum m)

    The mask carries no gradient: with one, calling every pixel occluded
    would lower the loss. Nothing visible gives 0 with a gradient of 0.

    Among several processes :math:`\sum m` is the mean over them of their
    sums: the mean of their losses is then the one of the global batch, though
    some may see more than others.

    Args:
        error (Tensor): (N, C, H, W).
        mask (Tensor): (N, 1, H, W), 1 where visible; values in between are
            weights.
        mask_sum (Tensor, optional): The mask's element of
            :func:`mask_sums`, for a caller with several masks.

    Returns:
        Tensor: Scalar, float32 or float64.

    Raises:
        ValueError: If the mask is not (N, 1, H, W).
    """
    expected = (error.shape[0], 1, *error.shape[2:])
    if mask.shape != expected:
        raise ValueError(
            f'the mask of an error of shape {tuple(error.shape)} must have '
            f'shape {expected}, got {tuple(mask.shape)}: make one mask per '
            "level, at the level's own size"
        )
    mask = mask.detach().to(error.dtype)
    if mask_sum is None:
        mask_sum = mask_sums([mask], error.dtype)[0]
    weight = mask_sum * error.shape[1]
    return (error * mask).sum() / weight.clamp_min(1e-6)
