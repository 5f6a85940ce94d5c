"""The local cost volume, forward and backward, against public ports' ways.

Five PWC-Net levels of a 256 x 512 pair in both directions, with the widths of
ConvNeXt-T. shift + sum multiplies and sums over the channels once per
displacement; unfold + einsum lays all windows out first.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks._case import Case, Work

RADIUS = 4
# channels and stride of the levels
LEVELS = ((48, 4), (96, 8), (192, 16), (384, 32), (768, 64))
HEIGHT, WIDTH, MOTIONS = 256, 512, 2


def shift_and_sum(feat1: Tensor, feat2: Tensor, radius: int) -> Tensor:
    """One product and one sum over channels per displacement."""
    h, w = feat1.shape[-2:]
    padded = F.pad(feat2, (radius,) * 4)
    steps = range(2 * radius + 1)
    return torch.stack(
        [
            (feat1 * padded[..., dy : dy + h, dx : dx + w]).mean(1)
            for dy in steps
            for dx in steps
        ],
        dim=1,
    )


def unfold_and_einsum(feat1: Tensor, feat2: Tensor, radius: int) -> Tensor:
    """All windows of the second map laid out, then one contraction."""
    n, c, h, w = feat1.shape
    windows = F.unfold(feat2, 2 * radius + 1, padding=radius)
    windows = windows.view(n, c, -1, h, w)
    return torch.einsum('nchw,nckhw->nkhw', feat1, windows) / c


def ours(feat1: Tensor, feat2: Tensor, radius: int) -> Tensor:
    """The package's."""
    from mcjepa_mm.models.flow import cost_volume

    return cost_volume(feat1, feat2, radius)


def make(
    function: Callable, levels: tuple, device: str, layout: torch.memory_format
) -> Callable[[], Work]:
    """A side: forward and backward at some levels, one after the other."""

    def build() -> Work:
        torch.manual_seed(0)
        maps = []
        for channels, stride in levels:
            shape = (MOTIONS, channels, HEIGHT // stride, WIDTH // stride)
            feats = [torch.randn(shape) for _ in range(2)]
            maps.append(
                [
                    x.to(device, memory_format=layout).requires_grad_()
                    for x in feats
                ]
            )

        def work() -> list[Tensor]:
            results = []
            for feats in maps:
                volume = function(*feats, RADIUS)
                grads = torch.autograd.grad(volume.square().mean(), feats)
                results += [volume, *grads]
            return results

        return work

    return build


def cases(device: str) -> list[Case]:
    """All levels together, then each of them."""
    # each side has the memory layout that it likes best
    functions = {
        'ours': (ours, torch.channels_last),
        'shift + sum': (shift_and_sum, torch.contiguous_format),
        'unfold + einsum': (unfold_and_einsum, torch.contiguous_format),
    }
    rows = [('5 levels', LEVELS)]
    rows += [
        (f'{c} x {HEIGHT // s} x {WIDTH // s}', ((c, s),)) for c, s in LEVELS
    ]
    return [
        Case(
            shape=shape,
            sides={
                name: make(function, levels, device, layout)
                for name, (function, layout) in functions.items()
            },
            flops=sum(3 * 2 * c * _outputs(s) for c, s in levels),
            traffic=sum(
                # both maps read twice, their gradients written, the volume
                # written and its gradient read
                4 * (6 * c * _pixels(s) + 2 * _outputs(s))
                for c, s in levels
            ),
        )
        for shape, levels in rows
    ]


def _pixels(stride: int) -> int:
    return MOTIONS * (HEIGHT // stride) * (WIDTH // stride)


def _outputs(stride: int) -> int:
    return _pixels(stride) * (2 * RADIUS + 1) ** 2
