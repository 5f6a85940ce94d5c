"""The mean over visible pixels that every warped comparison shares."""

from torch import Tensor

from .precision import full_precision


@full_precision
def masked_mean(error: Tensor, mask: Tensor) -> Tensor:
    r"""Mean of an error over channels and visible pixels.

    .. math:: \sum m\, e \,/\, (C \sum m)

    The mask carries no gradient: with one, calling every pixel occluded
    would lower the loss. Nothing visible gives 0 with a gradient of 0.

    Args:
        error (Tensor): (N, C, H, W).
        mask (Tensor): (N, 1, H, W), 1 where visible; values in between are
            weights.

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
    weight = mask.sum() * error.shape[1]
    return (error * mask).sum() / weight.clamp_min(1e-6)
