"""Propagate labels by feature affinity."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .cell_features import CellFeatures, Features

_LARGEST_TILE = 8
"""Most cells of a tile's side. At radius 12 on a CPU larger tiles multiply
more that is outside the radius, and smaller ones are slower to multiply."""


def propagate_labels(
    query: Features,
    keys: Sequence[Features],
    labels: Sequence[Tensor],
    *,
    radius: int | None = 12,
    topk: int = 5,
    temperature: float = 0.1,
    max_memory: int = 256,
) -> Tensor:
    """Label each cell by the weighted mean of its nearest cells' labels.

    DINO's protocol (arXiv 2104.14294, after arXiv 2006.14613): the affinity
    of two cells is exp(cos / temperature); of all cells of all context frames
    that are at most ``radius`` rows and columns away, the ``topk`` with the
    highest affinity vote, in proportion to it. Cells that tie with the last
    of them vote too.

    The affinities of a whole frame, a gigabyte at 480p, never exist: a square
    tile of cells at a time is compared with the window around it. Nor does a
    coarse level at the size of the grid: a tile meets few of its cells, and
    what they have in common with those of the window is interpolated.

    Args:
        query (Tensor | CellFeatures): (H, W, C), features of length 1.
        keys (Sequence[Tensor | CellFeatures]): The same of K context frames.
        labels (Sequence[Tensor]): (H, W, M) float32, share of each of M
            labels at the cells of the context frames.
        radius (int, optional): Cells; None for no limit. Defaults to 12.
        topk (int): Cells that vote. Defaults to 5.
        temperature (float): Defaults to 0.1.
        max_memory (int): MiB that the temporary tensors may take. Defaults
            to 256.

    Returns:
        Tensor: (H, W, M) float32, shares that add up to 1.

    Raises:
        ValueError: If ``max_memory`` is too small for a single cell.
    """
    size = query.shape[:2]
    cells = _as_cells(query)
    context = [_as_cells(key) for key in keys]
    side = tile_side(
        cells.shape,
        len(keys),
        radius=radius,
        itemsize=cells.fine.element_size(),
        max_memory=max_memory,
    )
    out = labels[0].new_empty(*size, labels[0].shape[2])
    coarse = [
        (levels[0], torch.stack([level.map for level in levels[1:]]))
        for levels in zip(cells.coarse, *(key.coarse for key in context))
    ]
    lines = [
        (*band, [_reach(level.rows, *band) for level in cells.coarse])
        for band in _bands(size[0], side, radius)
    ]
    for cols, near_cols in _bands(size[1], side, radius):
        across = [_reach(x.cols, cols, near_cols) for x in cells.coarse]
        fine = torch.stack([key.fine[:, near_cols] for key in context])
        scales = [key.scale[:, near_cols] for key in context if key.coarse]
        for rows, near_rows, down in lines:
            ours = cells.fine[rows, cols]
            affinity = torch.bmm(
                ours.flatten(0, 1).expand(len(context), -1, -1),
                fine[:, near_rows].flatten(1, 2).mT,
            )
            if coarse:
                factors = [
                    _interpolated(level.map, others, *reach)
                    for (level, others), *reach in zip(coarse, down, across)
                ]
                shares, products = (torch.cat(x, 1) for x in zip(*factors))
                scale = torch.stack([x[near_rows].flatten() for x in scales])
                shares *= cells.scale[rows, cols].flatten()[:, None]
                products *= scale[:, None]
                affinity.baddbmm_(
                    shares.to(fine).expand(len(context), -1, -1),
                    products.to(fine),
                )
            affinity = affinity.float().view(
                len(context), *ours.shape[:2], -1, fine.shape[2]
            )
            borders = _borders((rows, cols), (near_rows, near_cols), radius)
            if any(borders):
                affinity = F.pad(affinity, borders, value=-torch.inf)
            places = torch.arange(affinity[:, 0, 0].numel(), device=out.device)
            places = places.view_as(affinity[:, 0, 0])[:, None, None]
            near_labels = torch.stack(
                [x[near_rows, near_cols] for x in labels]
            )
            near_labels = F.pad(near_labels, (0, 0, *borders)).flatten(0, 2)
            shares = _vote(
                _within(affinity, radius),
                _within(places.expand_as(affinity), radius),
                near_labels,
                topk,
                temperature,
            )
            out[rows, cols] = shares.view_as(out[rows, cols])
        del fine  # before the next columns take as much
    return out


def tile_side(
    shape: tuple[int, int, int],
    num_keys: int,
    *,
    radius: int | None,
    itemsize: int,
    max_memory: int,
) -> int:
    """Side in cells of the largest tile that stays within the memory.

    Args:
        shape (tuple[int, int, int]): H, W and C of the features.
        num_keys (int): Number of context frames.
        radius (int, optional): See :func:`propagate_labels`.
        itemsize (int): Bytes of a feature's number.
        max_memory (int): MiB.

    Raises:
        ValueError: If not even a tile of one cell does.
    """
    for side in range(_LARGEST_TILE, 0, -1):
        window = 1
        for length in shape[:2]:
            reach = length if radius is None else side + 2 * radius
            window *= min(length, reach)
        # the columns of the keys; affinities, with borders, within the radius
        width = shape[1] if radius is None else side + 2 * radius
        columns = min(shape[1], width)
        keys = num_keys * shape[0] * columns * shape[2] * itemsize
        pairs = num_keys * window * (side**2 * (3 * 4 + 1) + 8)
        if keys + pairs <= max_memory * 2**20:
            return side
    raise ValueError(
        f'max_memory={max_memory} MiB is too small: comparing one cell with '
        f'its window in {num_keys} frames takes '
        f'{-(-(keys + pairs) // 2**20)} MiB; raise it, or lower radius or '
        'context_frames'
    )


def _as_cells(features: Features) -> CellFeatures:
    if isinstance(features, Tensor):
        return CellFeatures(features)
    return features


class _Reach(NamedTuple):
    """Coarse rows (or columns) that a tile and its window are made of.

    Attributes:
        shares (Tensor): (h, a), of those of the tile in its rows.
        part (slice): Where they are in the level.
        near_shares (Tensor): (rows, b), the same of the window.
        near_part (slice): Where those are.
    """

    shares: Tensor
    part: slice
    near_shares: Tensor
    near_part: slice


def _reach(weights: Tensor, cells: slice, near: slice) -> _Reach:
    found: list[Any] = []
    for chosen in (weights[cells], weights[near]):
        used = chosen.any(dim=0).nonzero()
        part = slice(int(used[0]), int(used[-1]) + 1)
        found += [chosen[:, part].contiguous(), part]
    return _Reach(*found)


def _interpolated(
    level: Tensor, others: Tensor, down: _Reach, across: _Reach
) -> tuple[Tensor, Tensor]:
    """Two factors of the products of a level's interpolated cells.

    Args:
        level (Tensor): (H, W, C), the query's.
        others (Tensor): (K, H, W, C), the keys'.
        down (_Reach): Of the rows of the tile and its window.
        across (_Reach): Of their columns.

    Returns:
        tuple[Tensor, Tensor]: (h * w, n), shares of n coarse cells in those
        of the tile; (K, n, rows * cols), their products with the window's.
    """
    ours = level[down.part, across.part].flatten(0, 1)
    theirs = others[:, down.near_part, across.near_part]
    shares = down.shares[:, None, :, None] * across.shares[:, None]
    products = ours @ theirs.flatten(1, 2).mT
    products = products.unflatten(2, theirs.shape[1:3]) @ across.near_shares.T
    products = down.near_shares @ products
    return shares.flatten(2).flatten(0, 1), products.flatten(2)


def _within(x: Tensor, radius: int | None) -> Tensor:
    """View of what is within the radius of each cell: (h, w, K, R, S).

    Args:
        x (Tensor): (K, h, w, h + 2 * radius, w + 2 * radius), of a tile and
            its window; without a radius the window has any size.
        radius (int, optional): See :func:`propagate_labels`.
    """
    if radius is None:
        return x.permute(1, 2, 0, 3, 4)
    length = 2 * radius + 1
    # the rows, then the columns of the window of each cell
    x = x.unfold(3, length, 1).diagonal(dim1=1, dim2=3)
    x = x.unfold(2, length, 1).diagonal(dim1=1, dim2=2)
    return x.permute(2, 4, 0, 1, 3)


def _vote(
    affinity: Tensor,
    places: Tensor,
    labels: Tensor,
    topk: int,
    temperature: float,
) -> Tensor:
    """Mean labels (T, M) of the cells with the highest affinity.

    Args:
        affinity (Tensor): (h, w, K, R, S), h * w = T.
        places (Tensor): The same shape, where those cells are in ``labels``.
        labels (Tensor): (P, M).
        topk (int): See :func:`propagate_labels`.
        temperature (float): See :func:`propagate_labels`.
    """
    width, keys, rows, cols = affinity.shape[1:]
    near = affinity.flatten(3).flatten(0, 1)  # (T, K, R * S)
    topk = min(topk, near[0].numel())
    # They are at the offsets whose maxima over the frames are highest, which
    # are found sooner.
    maxima = near.amax(dim=1)
    offsets = maxima.topk(min(topk + 1, rows * cols), dim=1).indices
    among = near.gather(2, offsets[:, None].expand(-1, keys, -1)).flatten(1)
    best, chosen = among.topk(min(topk + 1, among.shape[1]), dim=1)
    last = best[:, topk - 1 : topk]
    # The softmax over exponents is the votes' share, and it does not leave
    # the range of float32 where exp() by itself does.
    if (best[:, topk:] == last).any():
        near = near.flatten(1)
        votes = near.masked_fill(near < last, -torch.inf)
        votes = votes.div_(temperature).softmax(dim=1)
        spread = votes.new_zeros(len(votes), len(labels))
        places = places.flatten(2).flatten(0, 1)
        return spread.scatter_(1, places, votes) @ labels
    # Without a tie, which is the rule, only the best cells count.
    votes = (best[:, :topk] / temperature).softmax(dim=1)
    cell = torch.arange(len(near), device=near.device)[:, None]
    frame = chosen[:, :topk] // offsets.shape[1]
    offset = offsets.gather(1, chosen[:, :topk] % offsets.shape[1])
    chosen = places[
        cell // width, cell % width, frame, offset // cols, offset % cols
    ]
    return torch.bmm(votes[:, None], labels[chosen])[:, 0]


def _borders(
    tile: tuple[slice, slice],
    window: tuple[slice, slice],
    radius: int | None,
) -> tuple[int, ...]:
    """Cells of a window outside the frame: left, right, above and below."""
    if radius is None:
        return (0, 0, 0, 0)
    found = []
    for part, near in reversed(list(zip(tile, window))):
        found += [
            near.start - part.start + radius,
            part.stop + radius - near.stop,
        ]
    return tuple(found)


def _bands(
    length: int, side: int, radius: int | None
) -> Iterator[tuple[slice, slice]]:
    """Split a side of the map into tiles with their windows."""
    for start in range(0, length, side):
        stop = min(start + side, length)
        near = slice(0, length)
        if radius is not None:
            near = slice(max(0, start - radius), min(length, stop + radius))
        yield slice(start, stop), near
