"""Convert the maps of any backbone to one grid of features."""

import math
from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from .cell_features import CellFeatures, CoarseLevel
from .whitening import Whitening

_COARSE = 4
"""Least cells of the grid in a side of a level's cell for which interpolating
in place saves more than it costs ..."""
_WIDE = 32
"""... and the least channels."""


def feature_grid(
    maps: Tensor | Sequence[Tensor],
    image_size: tuple[int, int],
    *,
    levels: Sequence[int] | str | None = None,
    stride: int = 8,
    whitening: Sequence[Whitening] | None = None,
) -> Tensor:
    """Unit feature vectors of the cells of an image.

    Args:
        maps (Tensor | Sequence[Tensor]): What a backbone returns: a map
            (N, C_l, H_l, W_l), or several.
        image_size (tuple[int, int]): Height and width of the images.
        levels (Sequence[int] | str, optional): Positions in ``maps``, or
            'all'. Several are normalised each for itself, resized to the grid
            and concatenated. Defaults to the last map of the asked stride.
        stride (int): Pixels from cell to cell. Defaults to 8.
        whitening (Sequence[Whitening], optional): Of each level that is
            taken, in their order: they are whitened before they are
            normalised. Defaults to None: features as they are.

    Returns:
        Tensor: (N, H / stride, W / stride, C), channels of length 1.

    Raises:
        TypeError: If the backbone does not return maps.
        ValueError: If there is no such level or none of this stride, or
            ``whitening`` is that of other levels.
    """
    chosen = _unit_maps(maps, image_size, levels, stride, whitening)
    size = _grid_size(image_size, stride)
    resized = [_place(x, size, image_size, stride) for x in chosen]
    grid = F.normalize(torch.cat(resized, dim=1))
    return grid.permute(0, 2, 3, 1).contiguous()


def cell_features(
    maps: Tensor | Sequence[Tensor],
    image_size: tuple[int, int],
    *,
    levels: Sequence[int] | str | None = None,
    stride: int = 8,
    whitening: Sequence[Whitening] | None = None,
) -> CellFeatures:
    """The cells of :func:`feature_grid` with coarse levels at their own size.

    Args:
        maps (Tensor | Sequence[Tensor]): Of a single image.
        image_size (tuple[int, int]): See :func:`feature_grid`.
        levels (Sequence[int] | str, optional): See :func:`feature_grid`.
        stride (int): See :func:`feature_grid`.
        whitening (Sequence[Whitening], optional): See :func:`feature_grid`.

    Returns:
        CellFeatures: Of the image.

    Raises:
        TypeError, ValueError: See :func:`feature_grid`.
    """
    chosen = _unit_maps(maps, image_size, levels, stride, whitening)
    size = _grid_size(image_size, stride)
    fine, coarse = [], []
    energy = chosen[0].new_zeros(size)
    for x in chosen:
        cells = tuple(x.shape[2:])
        if x.shape[1] < _WIDE or any(
            _COARSE * n > full for n, full in zip(cells, size)
        ):
            fine.append(_place(x, size, image_size, stride)[0])
            energy += fine[-1].square().sum(dim=0)
            continue
        rows, cols = _weights(cells, size, image_size, stride)
        level = CoarseLevel(
            x[0].permute(1, 2, 0).contiguous(), rows.to(x), cols.to(x)
        )
        coarse.append(level)
        # rows are interpolated, then products of two in place of columns
        lines = torch.einsum('ya,abc->ybc', level.rows, level.map)
        products = lines @ lines.mT
        energy += (level.cols @ products * level.cols).sum(dim=2)
    scale = energy.sqrt().clamp_min(1e-12).reciprocal()
    grid = torch.cat([energy.new_empty(0, *size), *fine]) * scale
    return CellFeatures(grid.permute(1, 2, 0).contiguous(), coarse, scale)


@cache
def _weights(
    cells: tuple[int, int],
    size: tuple[int, int],
    image_size: tuple[int, int],
    stride: int,
) -> tuple[Tensor, Tensor]:
    """Shares (H, h) and (W, w) that cells of a map have in those of a grid."""
    found = []
    for dim in (0, 1):
        one_hot = torch.eye(cells[dim]).unsqueeze(2 - dim)
        x = one_hot.expand(-1, *cells)[None]
        placed = _place(x, size, image_size, stride)[0]
        found.append(placed.select(2 - dim, 0).T.contiguous())
    return found[0], found[1]


def _unit_maps(
    maps: Tensor | Sequence[Tensor],
    image_size: tuple[int, int],
    levels: Sequence[int] | str | None,
    stride: int,
    whitening: Sequence[Whitening] | None,
) -> list[Tensor]:
    """The chosen maps, whitened, with features of length 1."""
    chosen = [
        x.float()
        for x in chosen_maps(maps, image_size, levels=levels, stride=stride)
    ]
    if whitening is not None:
        _check_channels(chosen, whitening)
        chosen = [one.apply(x) for x, one in zip(chosen, whitening)]
    return [F.normalize(x) for x in chosen]


def _grid_size(image_size: tuple[int, int], stride: int) -> tuple[int, int]:
    height, width = (max(1, round(side / stride)) for side in image_size)
    return height, width


def chosen_maps(
    maps: Tensor | Sequence[Tensor],
    image_size: tuple[int, int],
    *,
    levels: Sequence[int] | str | None = None,
    stride: int = 8,
) -> list[Tensor]:
    """The maps that :func:`feature_grid` uses, unchanged.

    Args:
        maps (Tensor | Sequence[Tensor]): See :func:`feature_grid`.
        image_size (tuple[int, int]): See :func:`feature_grid`.
        levels (Sequence[int] | str, optional): See :func:`feature_grid`.
        stride (int): See :func:`feature_grid`.

    Returns:
        list[Tensor]: (N, C_l, H_l, W_l) each.

    Raises:
        TypeError, ValueError: See :func:`feature_grid`.
    """
    if stride < 1:
        raise ValueError(f'stride must be at least 1, got {stride}')
    maps = [maps] if isinstance(maps, Tensor) else list(maps)
    for x in maps:
        if not isinstance(x, Tensor) or x.dim() != 4:
            raise TypeError(
                'label propagation needs maps (N, C, H, W), the backbone '
                f'returned {tuple(x.shape) if hasattr(x, "shape") else x!r:}'
                '; of a vision transformer ask for maps, by '
                "out_type='featmap' in mmpretrain"
            )
    if levels is None:
        places = [_level_of_stride(maps, image_size, stride)]
    else:
        places = [*(range(len(maps)) if levels == 'all' else levels)]
    outside = [i for i in places if not -len(maps) <= i < len(maps)]
    if outside or not places:
        raise ValueError(
            f'levels={tuple(places)}: the backbone returns {len(maps)} maps, '
            f'so a level is from 0 to {len(maps) - 1}'
        )
    return [maps[i] for i in places]


def _check_channels(
    maps: Sequence[Tensor], whitening: Sequence[Whitening]
) -> None:
    """Refuse a whitening of other channels."""
    expected = [x.shape[1] for x in maps]
    given = [len(one.mean) for one in whitening]
    if given != expected:
        raise ValueError(
            f'the levels that are taken have {expected} channels, the '
            f'whitening is of levels with {given}: fit it on the same levels '
            'of the same encoder'
        )


def _place(
    x: Tensor, size: tuple[int, int], image_size: tuple[int, int], stride: int
) -> Tensor:
    """Resize a map to the grid, aligned in the image.

    A map of stride 64 has 7 rows for 480 pixels, and they end at pixel 448:
    the rows below repeat the last one. A map that reaches beyond the image is
    cut. One whose stride is no power of two is stretched over the grid.
    """
    cells = tuple(x.shape[2:])
    if cells == size:
        return x
    ratios = [length / n for length, n in zip(image_size, cells)]
    own = 2 ** round(math.log2(math.prod(ratios)) / 2)
    fits = all(abs(r * n / own - n) < 1 for r, n in zip(ratios, cells))
    covered = [max(1, round(n * own / stride)) for n in cells]
    target = tuple(covered) if fits else size
    x = F.interpolate(x, size=target, mode='bilinear', align_corners=False)
    below, right = (full - n for full, n in zip(size, target))
    if below or right:
        x = F.pad(x, (0, right, 0, below), mode='replicate')
    return x


def _level_of_stride(
    maps: Sequence[Tensor], image_size: tuple[int, int], stride: int
) -> int:
    """The last map whose cells are ``stride`` pixels apart."""
    # a backbone may round the size of a map up or down
    fitting = [
        i
        for i, x in enumerate(maps)
        if all(
            abs(cells - length / stride) < 1
            for cells, length in zip(x.shape[2:], image_size)
        )
    ]
    if not fitting:
        strides = [round(image_size[0] / x.shape[2]) for x in maps]
        raise ValueError(
            f'the backbone returns maps of strides {strides}, none of '
            f'stride {stride}; set `stride` to one of them, name `levels`, '
            'which are then resized to it, or change the out_indices of the '
            'backbone'
        )
    return fitting[-1]
