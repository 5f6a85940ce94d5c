"""End-point error of optical flow."""

from torch import Tensor


def endpoint_error_map(pred: Tensor, gt: Tensor) -> Tensor:
    """Length of the difference between two flow fields, pixel by pixel.

    Args:
        pred (Tensor): (..., 2, H, W), x then y, pixels.
        gt (Tensor): Same shape as ``pred``.

    Returns:
        Tensor: (..., H, W), pixels.

    Raises:
        ValueError: If the shapes differ or the channels are not two.
    """
    if pred.shape != gt.shape or pred.ndim < 3 or pred.shape[-3] != 2:
        raise ValueError(
            'expected two flow fields of one shape (..., 2, H, W), got '
            f'{tuple(pred.shape)} and {tuple(gt.shape)}; resize the '
            'prediction (and scale its vectors) to the ground truth first'
        )
    return (pred - gt).square().sum(dim=-3).sqrt()


def endpoint_error(
    pred: Tensor, gt: Tensor, valid: Tensor | None = None
) -> Tensor:
    """Mean end-point error over the valid pixels (EPE).

    Args:
        pred (Tensor): (..., 2, H, W), x then y, pixels.
        gt (Tensor): Same shape as ``pred``.
        valid (Tensor, optional): (..., 1, H, W) or (..., H, W), non-zero
            where the ground truth counts. None counts every pixel.

    Returns:
        Tensor: Scalar, pixels; the mean is over all valid pixels together,
        not over samples. NaN when no pixel is valid.

    Raises:
        ValueError: If the shapes do not fit.
    """
    error = endpoint_error_map(pred, gt)
    if valid is None:
        return error.mean()
    if valid.numel() != error.numel():
        raise ValueError(
            f'expected one validity per pixel of flow '
            f'{tuple(pred.shape)}, got {tuple(valid.shape)}'
        )
    # select instead of multiplying: invalid ground truth may hold NaN
    return error[valid.reshape(error.shape) != 0].mean()
