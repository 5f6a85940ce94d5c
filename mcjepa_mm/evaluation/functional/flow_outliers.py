"""KITTI's rule of which flow vectors are wrong."""

from torch import Tensor


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
