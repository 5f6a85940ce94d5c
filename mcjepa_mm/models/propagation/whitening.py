"""PCA whitening of features."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from mcjepa_mm.utils.atomic_write import atomic_write
from mcjepa_mm.utils.checkpoint import encode_checkpoint, read_checkpoint


class Whitening(NamedTuple):
    """Affine map that whitens features.

    Attributes:
        mean (Tensor): (C,), what is taken off.
        matrix (Tensor): (C, C), what the rest, a row, is multiplied by.
    """

    mean: Tensor
    matrix: Tensor

    def apply(self, x: Tensor) -> Tensor:
        """Whiten maps.

        Args:
            x (Tensor): (N, C, H, W).

        Returns:
            Tensor: The same shape and dtype.
        """
        centred = x.movedim(1, -1) - self.mean.to(x)
        return (centred @ self.matrix.to(x)).movedim(-1, 1)


class Moments(NamedTuple):
    """Mergeable mean and scatter of cells.

    Attributes:
        count (int): Number of cells.
        mean (Tensor): (C,) float64.
        scatter (Tensor): (C, C) float64, sum of the outer products of the
            deviations from the mean.
    """

    count: int  # type: ignore[assignment]
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, cells: Tensor) -> 'Moments':
        """Moments of cells (M, C)."""
        cells = cells.double()
        mean = cells.mean(dim=0)
        centred = cells - mean
        return cls(len(cells), mean, centred.T @ centred)

    def merge(self, other: 'Moments') -> 'Moments':
        """Moments of the cells of both (Chan et al. 1979)."""
        count = self.count + other.count
        shift = other.mean - self.mean
        share = other.count / count
        between = torch.outer(shift, shift) * self.count * share
        return Moments(
            count,
            self.mean + shift * share,
            self.scatter + other.scatter + between,
        )


def whitening(cells: Tensor, shrinkage: float = 1e-3) -> Whitening:
    """PCA whitening of cells.

    The covariance of the result is the identity, but for directions whose
    variance is less than ``shrinkage`` of the largest: they are scaled as if
    they had that much. So noise is not raised without limit, and fewer cells
    than channels will do.

    Args:
        cells (Tensor): (M, C), at least 2.
        shrinkage (float): Share of the largest eigenvalue, above 0, at most
            1. Defaults to 1e-3.

    Returns:
        Whitening: In float64.

    Raises:
        ValueError: If there are fewer than 2 cells, all are alike or not
            finite, or ``shrinkage`` is out of range.
    """
    return whitening_of_moments(Moments.of(cells), shrinkage)


def whitening_of_moments(
    moments: Moments, shrinkage: float = 1e-3
) -> Whitening:
    """PCA whitening from moments, see :func:`whitening`."""
    check_shrinkage(shrinkage)
    if moments.count < 2:
        raise ValueError(
            'whitening needs at least 2 cells to tell how features vary, got '
            f'{moments.count}; enlarge the frames, or leave out the coarsest '
            'levels'
        )
    covariance = moments.scatter / (moments.count - 1)
    if not covariance.isfinite().all():
        raise ValueError(
            'whitening needs finite features, got some that are not'
        )
    variances, directions = torch.linalg.eigh(covariance)
    largest = variances[-1]
    # what rounding leaves of a constant is no variance
    noise = torch.finfo(torch.float32).eps * moments.mean.abs().max()
    if largest <= noise**2:
        raise ValueError(
            f'whitening needs features that vary, but the {moments.count} '
            'cells are alike; take another first frame, or do not whiten'
        )
    scales = variances.clamp(min=shrinkage * largest).rsqrt()
    # in one layout, as a file has it: products are the same to the bit
    matrix = (directions * scales).contiguous()
    return Whitening(moments.mean, matrix)


def check_shrinkage(shrinkage: float) -> None:
    """Refuse a shrinkage outside (0, 1]."""
    if not 0 < shrinkage <= 1:
        raise ValueError(
            f'shrinkage must be above 0 and at most 1, got {shrinkage}'
        )


def moments_of_maps(maps: Sequence[Tensor]) -> list[Moments]:
    """Moments of the cells of each map (N, C, H, W)."""
    return [Moments.of(x.movedim(1, -1).flatten(0, 2)) for x in maps]


def write_whitening(
    path: str | os.PathLike, whitenings: Sequence[Whitening]
) -> None:
    """Write the whitening of each level to a file.

    Args:
        path (str | PathLike): File, '.pth', in a folder that exists; it loads
            with ``weights_only=True``.
        whitenings (Sequence[Whitening]): Of the levels in their order.

    Raises:
        OSError: If it cannot be written.
        ValueError: For another suffix.
    """
    tensors = {
        f'whitening.{level}.{name}': value
        for level, one in enumerate(whitenings)
        for name, value in one._asdict().items()
    }
    path = Path(path)
    atomic_write(path, encode_checkpoint(tensors, {}, suffix=path.suffix))


def read_whitening(path: str | os.PathLike) -> list[Whitening]:
    """Read what :func:`write_whitening` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'there is no file of statistics {str(path)!r}; fit_whitening() '
            'makes one'
        )
    tensors, _ = read_checkpoint(path)
    names = [
        [f'whitening.{level}.{name}' for name in Whitening._fields]
        for level in range(len(tensors) // 2)
    ]
    if not names or set(tensors) != {name for pair in names for name in pair}:
        raise ValueError(
            f'{path} holds no whitening: expected the mean and the matrix of '
            'each level, as fit_whitening() writes them, got '
            f'{sorted(map(str, tensors))[:3]}'
        )
    return [Whitening(*(tensors[name] for name in pair)) for pair in names]
