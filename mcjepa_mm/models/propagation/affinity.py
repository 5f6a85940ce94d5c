"""Propagate labels by feature affinity."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

_LARGEST_TILE = 12
"""Most cells of a tile's side. On a CPU 8 to 16 are equally fast at radius
12: larger tiles copy less and multiply more that is outside the radius."""


def propagate_labels(
    query: Tensor,
    keys: Sequence[Tensor],
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
    tile of cells at a time is compared with the window around it.

    Args:
        query (Tensor): (H, W, C), features of length 1.
        keys (Sequence[Tensor]): The same of K context frames.
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
    side = tile_side(
        (*size, query.shape[2]),
        len(keys),
        radius=radius,
        itemsize=query.element_size(),
        max_memory=max_memory,
    )
    out = query.new_empty(*size, labels[0].shape[2], dtype=torch.float32)
    columns = list(_bands(size[1], side, radius))
    for rows, near_rows in _bands(size[0], side, radius):
        for cols, near_cols in columns:
            window = (near_rows, near_cols)
            affinity = _affinity(
                query[rows, cols].flatten(0, 1),
                _stack(keys, window),
                _is_far(rows, cols, *window, radius).to(query.device),
            )
            near_labels = _stack(labels, window).flatten(0, 1)
            shares = _vote(affinity, near_labels, topk, temperature)
            out[rows, cols] = shares.view(
                rows.stop - rows.start, cols.stop - cols.start, -1
            )
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
        # the keys; affinities, weights and what topk makes of them
        keys = num_keys * window * shape[2] * itemsize
        pairs = num_keys * window * side**2 * (3 * 4 + 1)
        if keys + pairs <= max_memory * 2**20:
            return side
    raise ValueError(
        f'max_memory={max_memory} MiB is too small: comparing one cell with '
        f'its window in {num_keys} frames takes '
        f'{-(-(keys + pairs) // 2**20)} MiB; raise it, or lower radius or '
        'context_frames'
    )


def _affinity(query: Tensor, keys: Tensor, far: Tensor) -> Tensor:
    """Cosines (T, K * S) of a tile (T, C) and a window (K, S, C)."""
    cosines = torch.matmul(query, keys.transpose(1, 2)).float()
    cosines.masked_fill_(far, -torch.inf)
    return cosines.transpose(0, 1).flatten(1)


def _vote(
    affinity: Tensor, labels: Tensor, topk: int, temperature: float
) -> Tensor:
    """Mean labels (T, M) of the best of P cells, affinity (T, P)."""
    topk = min(topk, affinity.shape[1])
    best, cells = affinity.topk(min(topk + 1, affinity.shape[1]), dim=1)
    last = best[:, topk - 1 : topk]
    # The softmax over exponents is the votes' share, and it does not leave
    # the range of float32 where exp() by itself does.
    if (best[:, topk:] == last).any():
        votes = affinity.masked_fill(affinity < last, -torch.inf)
        return votes.div_(temperature).softmax(dim=1) @ labels
    # Without a tie, which is the rule, only the best cells count.
    votes = (best[:, :topk] / temperature).softmax(dim=1)
    return torch.bmm(votes[:, None], labels[cells[:, :topk]])[:, 0]


def _stack(maps: Sequence[Tensor], window: tuple[slice, slice]) -> Tensor:
    """A window of (H, W, C) maps as (K, S, C)."""
    return torch.stack([x[window] for x in maps]).flatten(1, 2)


def _is_far(
    rows: slice,
    cols: slice,
    near_rows: slice,
    near_cols: slice,
    radius: int | None,
) -> Tensor:
    """Mask of window cells outside the radius of each tile cell: (T, S)."""
    if radius is None:
        return torch.zeros((), dtype=torch.bool)
    near = [
        (_range(a)[:, None] - _range(b)).abs() <= radius
        for a, b in ((rows, near_rows), (cols, near_cols))
    ]
    both = near[0][:, None, :, None] & near[1][None, :, None, :]
    return ~both.flatten(0, 1).flatten(1)


def _range(cells: slice) -> Tensor:
    return torch.arange(cells.start, cells.stop)


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
