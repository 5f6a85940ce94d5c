"""Local cost volume of PWC-Net in PyTorch with its own backward.

A row of pixels is cut into tiles of ``TILE``. The products of a tile of the
first map with the ``TILE + 2 * radius`` pixels around it in a row of the
second one are one small matrix product, and the wanted displacements are its
diagonals. All tiles of the map together are one batched product per vertical
displacement, so the work is done by the matrix units and nothing of size
channels x displacements is ever held, as unfolding would.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..exporting import is_exporting
from ..precision import without_autocast

TILE = 16


def cost_volume(feat1: Tensor, feat2: Tensor, radius: int = 4) -> Tensor:
    r"""Correlate each pixel of one map with a window of another.

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
    return joined_cost_volume(feat1, feat2, (), radius)


def joined_cost_volume(
    feat1: Tensor,
    feat2: Tensor,
    extra_inputs: Sequence[Tensor],
    radius: int = 4,
    *,
    divisor: float | None = None,
    negative_slope: float = 1.0,
) -> Tensor:
    """Leaky ReLU of the cost volume, concatenated with other maps.

    ``torch.cat([F.leaky_relu(volume, negative_slope), *extra_inputs],
    dim=1)``, but everything is written once, to where a convolution of
    channels-last maps reads it. Of a level, the volume is among the largest
    maps there are. An exported graph has the plain form.

    Args:
        feat1 (Tensor): (N, C, H, W).
        feat2 (Tensor): (N, C, H, W).
        extra_inputs (Sequence[Tensor]): Maps (N, K, H, W); they come to the
            dtype of the volume.
        radius (int): As of :func:`cost_volume`. Defaults to 4.
        divisor (float, optional): What the sum over channels is divided by.
            Defaults to C.
        negative_slope (float): Above 0. Defaults to 1, no leaky ReLU.

    Returns:
        Tensor: (N, (2r + 1)^2 + sum of K, H, W), channels-last. It cannot be
        written to in place, nor be differentiated twice.

    Raises:
        ValueError: If the shapes of the two features differ or are not
            four-dimensional.
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
    divisor = feat1.shape[1] if divisor is None else divisor
    if is_exporting():
        volume = F.leaky_relu(
            _plain_volume(feat1, feat2, radius, divisor), negative_slope
        )
        return torch.cat(
            [volume, *(x.to(volume.dtype) for x in extra_inputs)], 1
        )
    # A feature may lie beside its own volume, and torch.compile takes no
    # tensor twice.
    extra_inputs = [x.view_as(x) for x in extra_inputs]
    return _CostVolume.apply(
        feat1, feat2, radius, divisor, negative_slope, *extra_inputs
    )


def _plain_volume(
    feat1: Tensor, feat2: Tensor, radius: int, divisor: float
) -> Tensor:
    """Compute the volume by products of shifted maps, for any size."""
    if feat1.dtype == torch.float16:  # as below, for its range
        feat1, feat2 = feat1 / divisor**0.5, feat2 / divisor**0.5
        divisor = 1
    h, w = feat1.shape[2:]
    padded = F.pad(feat2, (radius,) * 4)
    shifts = range(2 * radius + 1)
    # All horizontal displacements are one product: a graph of every single
    # one takes minutes to make.
    columns = torch.stack([padded[..., dx : dx + w] for dx in shifts], dim=1)
    volume = [
        (feat1[:, None] * columns[..., dy : dy + h, :]).sum(2) for dy in shifts
    ]
    return torch.cat(volume, dim=1) / divisor


class _CostVolume(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx,
        feat1: Tensor,
        feat2: Tensor,
        radius: int,
        divisor: float,
        negative_slope: float,
        *extra_inputs: Tensor,
    ) -> Tensor:
        ctx.radius, ctx.divisor = radius, divisor
        ctx.negative_slope = negative_slope
        ctx.widths = [x.shape[1] for x in extra_inputs]
        ctx.dtypes = [x.dtype for x in extra_inputs]
        n, _, h, w = feat1.shape
        d = 2 * radius + 1
        tiles, windows = _tiles(feat1), _windows(feat2, radius)
        # A sum over C channels may leave float16's range though its mean does
        # not: each factor is divided by the root then, and not the sum by C.
        if feat1.dtype == torch.float16:
            tiles, windows = tiles / divisor**0.5, windows / divisor**0.5
            divisor = 1
        joined = tiles.new_empty(
            n, h, tiles.shape[2] * tiles.shape[3], d * d + sum(ctx.widths)
        )
        volume = joined[..., : d * d]
        products = tiles.new_empty(*tiles.shape[:4], windows.shape[3])
        for dy in range(d):
            # beta=0 overwrites what was there
            products.flatten(0, 2).baddbmm_(
                tiles.flatten(0, 2),
                windows[dy : dy + h].flatten(0, 2).mT,
                beta=0,
                alpha=1 / divisor,
            )
            _rows(volume, dy, d, tiles.shape).copy_(_diagonals(products, d))
        if negative_slope != 1:
            F.leaky_relu_(volume, negative_slope)
        # The last tile may be wider than the map.
        joined = joined[:, :, :w].contiguous()
        at = d * d
        for x in extra_inputs:
            joined[..., at : at + x.shape[1]] = x.permute(0, 2, 3, 1)
            at += x.shape[1]
        joined = joined.permute(0, 3, 1, 2)
        # Where the result is negative tells the leaky ReLU's slope.
        kept = [joined] if negative_slope != 1 else []
        ctx.save_for_backward(feat1, feat2, *kept)
        return joined

    @staticmethod
    @once_differentiable
    @without_autocast
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        feat1, feat2, *kept = ctx.saved_tensors
        radius = ctx.radius
        h, w = feat1.shape[-2:]
        d = 2 * radius + 1
        grad, *extra_inputs = grad.split([d * d, *ctx.widths], dim=1)
        extra_inputs = [
            x.to(dtype) for x, dtype in zip(extra_inputs, ctx.dtypes)
        ]
        for joined in kept:
            grad = torch.ops.aten.leaky_relu_backward(
                grad, joined[:, : d * d], ctx.negative_slope, True
            )
        tiles, windows = _tiles(feat1), _windows(feat2, radius)
        tile = tiles.shape[3]
        grad = _pad(grad.permute(0, 2, 3, 1), (0, 0, 0, -w % tile))

        # Sums over the vertical displacements, kept in float32: half
        # precision would round each of the 2r + 1 partial sums.
        total = torch.promote_types(tiles.dtype, torch.float32)
        grad_tiles = torch.zeros_like(tiles, dtype=total)
        grad_windows = torch.zeros_like(windows, dtype=total)
        # The bands are rewritten for each dy; what lies off them stays 0.
        bands = tiles.new_zeros(*tiles.shape[:4], tile + 2 * radius)
        for dy in range(d):
            _diagonals(bands, d).copy_(_rows(grad, dy, d, tiles.shape))
            scale = 1 / ctx.divisor
            _add_product(grad_tiles, bands, windows[dy : dy + h], scale)
            _add_product(grad_windows[dy : dy + h], bands.mT, tiles, scale)
        return (
            _untile(grad_tiles, w).to(feat1.dtype),
            _unwindow(grad_windows, h, w, radius).to(feat2.dtype),
            None,
            None,
            None,
            *extra_inputs,
        )


def _add_product(total: Tensor, a: Tensor, b: Tensor, scale: float) -> None:
    """Add scale * a @ b in place, without a temporary for one dtype."""
    total, a, b = (x.flatten(0, 2) for x in (total, a, b))
    if total.dtype == a.dtype:
        total.baddbmm_(a, b, alpha=scale)
    else:
        product = a.new_empty(total.shape)
        total += product.baddbmm_(a, b, beta=0, alpha=scale)


def _pad(x: Tensor, sides: tuple[int, ...]) -> Tensor:
    """F.pad without its copy where the padding is 0."""
    return F.pad(x, sides) if any(sides) else x


def _tiles(feat: Tensor) -> Tensor:
    """(N, C, H, W) to (H, N, tiles, tile, C); rows first, see _windows."""
    w = feat.shape[3]
    tile = min(TILE, w)
    rows = _pad(feat.permute(2, 0, 3, 1), (0, 0, 0, -w % tile))
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
    *batch, tile, _ = products.shape
    *strides, row, column = products.stride()
    return products.as_strided(
        (*batch, tile, d), (*strides, row + column, column)
    )


def _rows(volume: Tensor, dy: int, d: int, tiled: torch.Size) -> Tensor:
    """View of (N, H, W, d * d) at dy as (H, N, tiles, tile, d)."""
    rows = volume[..., dy * d : (dy + 1) * d].unflatten(2, tiled[2:4])
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
