"""End-point error and outliers of optical flow."""

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


def flow_outliers(error: Tensor, speed: Tensor) -> Tensor:
    """Pixels whose flow counts as wrong in the KITTI 2015 benchmark.

    ``error > 3 pixels and error > 5 % of speed``, the thresholds of the
    benchmark's development kit. An error of NaN is an outlier.

    Args:
        error (Tensor): End-point error, pixels, of any shape.
        speed (Tensor): Length of the true flow, pixels, same shape.

    Returns:
        Tensor: Same shape, bool.

    Raises:
        ValueError: If the shapes differ.
    """
    if error.shape != speed.shape:
        raise ValueError(
            'expected an error and a speed per pixel, got shapes '
            f'{tuple(error.shape)} and {tuple(speed.shape)}'
        )
    # said the other way round, because a comparison with NaN is false
    return ~((error <= 3) | (error <= 0.05 * speed))
