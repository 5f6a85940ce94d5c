"""The local cost volume of PWC-Net, in plain PyTorch with its own backward.

A row of pixels is cut into tiles of ``TILE``. The products of a tile of the
first map with the ``TILE + 2 * radius`` pixels around it in a row of the
second one are one small matrix product, and the wanted displacements are its
diagonals. All tiles of the map together are one batched product per vertical
displacement, so the work is done by the matrix units and nothing of size
channels x displacements is ever held, as unfolding would.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

TILE = 16


def cost_volume(feat1: Tensor, feat2: Tensor, radius: int = 4) -> Tensor:
    r"""Correlate each pixel of one map with a window of the other.

    .. math::
        c(d, x) = \frac{1}{C} \sum_k f_{1,k}(x) \, f_{2,k}(x + d),
        \quad d \in \{-r, ..., r\}^2

    with zeros outside of the second map (PWC-Net, arXiv 1709.02371; the
    mean over channels and r = 4 are a re-implementation's, T).

    Args:
        feat1 (Tensor): (N, C, H, W).
        feat2 (Tensor): (N, C, H, W).
        radius (int): Largest displacement r, in pixels. Defaults to 4.

    Returns:
        Tensor: (N, (2r + 1)^2, H, W); the channel of displacement
        (dx, dy) is ``(dy + r) * (2 * r + 1) + dx + r``.

    Raises:
        ValueError: If the two shapes differ or are not four-dimensional.
    """
    if feat1.dim() != 4 or feat1.shape != feat2.shape:
        raise ValueError(
            'cost_volume takes two maps of one shape '
            f'(N, C, H, W), got {tuple(feat1.shape)} and '
            f'{tuple(feat2.shape)}.'
        )
    if torch.is_autocast_enabled(feat1.device.type):
        dtype = torch.get_autocast_dtype(feat1.device.type)
        feat1, feat2 = feat1.to(dtype), feat2.to(dtype)
    return _CostVolume.apply(feat1, feat2, radius)


class _CostVolume(torch.autograd.Function):
    @staticmethod
    def forward(ctx, feat1: Tensor, feat2: Tensor, radius: int) -> Tensor:
        ctx.save_for_backward(feat1, feat2)
        ctx.radius = radius
        n, c, h, w = feat1.shape
        d = 2 * radius + 1
        tiles, windows = _tiles(feat1), _windows(feat2, radius)
        # A sum over C channels may leave float16's range though its mean does
        # not: each factor is divided by the root then, and not the sum by C.
        fits = feat1.dtype != torch.float16
        if not fits:
            tiles, windows = tiles / c**0.5, windows / c**0.5
        volume = tiles.new_empty(n, h, tiles.shape[2] * tiles.shape[3], d, d)
        for dy in range(d):
            products = torch.matmul(tiles, windows[dy : dy + h].mT)
            _rows(volume, dy, tiles.shape).copy_(_diagonals(products, d))
        volume = volume[:, :, :w].reshape(n, h, w, d * d)
        if fits:
            volume.div_(c)
        return volume.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        feat1, feat2 = ctx.saved_tensors
        radius = ctx.radius
        n, c, h, w = feat1.shape
        d = 2 * radius + 1
        tiles, windows = _tiles(feat1), _windows(feat2, radius)
        tile = tiles.shape[3]
        grad = (grad / c).permute(0, 2, 3, 1)
        grad = F.pad(grad, (0, 0, 0, -w % tile)).unflatten(3, (d, d))

        # Sums over the vertical displacements, kept in float32: half
        # precision would round each of the 2r + 1 partial sums.
        total = torch.promote_types(tiles.dtype, torch.float32)
        grad_tiles = torch.zeros_like(tiles, dtype=total)
        grad_windows = torch.zeros_like(windows, dtype=total)
        # The bands are rewritten for each dy; what lies off them stays 0.
        bands = tiles.new_zeros(*tiles.shape[:4], tile + 2 * radius)
        for dy in range(d):
            _diagonals(bands, d).copy_(_rows(grad, dy, tiles.shape))
            grad_tiles += torch.matmul(bands, windows[dy : dy + h])
            grad_windows[dy : dy + h] += torch.matmul(bands.mT, tiles)
        return (
            _untile(grad_tiles, w).to(feat1.dtype),
            _unwindow(grad_windows, h, w, radius).to(feat2.dtype),
            None,
        )


def _tiles(feat: Tensor) -> Tensor:
    """(N, C, H, W) to (H, N, tiles, tile, C); rows first, see _windows."""
    w = feat.shape[3]
    tile = min(TILE, w)
    rows = F.pad(feat.permute(2, 0, 3, 1), (0, 0, 0, -w % tile))
    return rows.unflatten(2, (-1, tile)).contiguous()


def _windows(feat: Tensor, radius: int) -> Tensor:
    """(N, C, H, W) to (H + 2r, N, tiles, tile + 2r, C), zeros outside.

    With the rows in front, the windows for one vertical displacement of all
    rows are one slice, contiguous, that a batched product takes as it is.
    """
    w = feat.shape[3]
    tile = min(TILE, w)
    rows = F.pad(
        feat.permute(2, 0, 3, 1),
        (0, 0, radius, radius + -w % tile, 0, 0, radius, radius),
    )
    return rows.unfold(2, tile + 2 * radius, tile).mT.contiguous()


def _diagonals(products: Tensor, d: int) -> Tensor:
    """The view [..., x, k] = products[..., x, x + k] for k in range(d)."""
    *batch, tile, span = products.shape
    *strides, row, column = products.stride()
    return products.as_strided(
        (*batch, tile, d),
        (*strides, row + column, column),
        products.storage_offset(),
    )


def _rows(volume: Tensor, dy: int, tiled: torch.Size) -> Tensor:
    """View of (N, H, W, d, d) at dy as (H, N, tiles, tile, d)."""
    rows = volume[:, :, :, dy].unflatten(2, tiled[2:4])
    return rows.transpose(0, 1)


def _untile(tiles: Tensor, w: int) -> Tensor:
    """The inverse of :func:`_tiles`."""
    return tiles.flatten(2, 3)[:, :, :w].permute(1, 3, 0, 2)


def _unwindow(windows: Tensor, h: int, w: int, radius: int) -> Tensor:
    """The adjoint of :func:`_windows`: pixels that windows share add up."""
    rows, n, count, span, c = windows.shape
    tile = span - 2 * radius
    padded = windows.new_zeros(rows, n, count * tile + 2 * radius, c)
    # Windows further apart than their own length do not overlap, so each
    # group of every `apart`-th window is added in one go.
    apart = -(-span // tile)
    for first in range(min(apart, count)):
        group = windows[:, :, first::apart]
        view = padded[:, :, first * tile :].unfold(2, span, apart * tile)
        view[:, :, : group.shape[2]].mT.add_(group)
    return padded[radius : radius + h, :, radius : radius + w].permute(
        1, 3, 0, 2
    )
