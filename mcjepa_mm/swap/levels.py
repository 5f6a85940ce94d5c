"""Which levels of the encoder take the places of another one's maps."""

from collections.abc import Sequence
from math import log2

from mcjepa_mm.models.backbones.convnext import NUM_LEVELS

from .errors import SwapError

# The level that a ConvNeXt has at a stride: its stages from 4 on, the stem
# before that.
_NATURAL = {1: 0, 2: 0, 4: 2, 8: 3, 16: 4}
_LAST = NUM_LEVELS - 1


def fit_levels(
    strides: Sequence[int],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Choose levels, and strides inside the encoder, for maps of some strides.

    The last map is the deepest level. Maps before it of the same stride (a
    dilated ResNet's) are the levels right before; the others those that a
    ConvNeXt has at that stride. Between two chosen levels the resolution
    falls as early as possible: as in the pretraining, and cheapest.

    Args:
        strides (Sequence[int]): Stride of each map that is to be replaced,
            powers of two, fine to coarse.

    Returns:
        tuple: ``out_indices`` and ``strides`` of
        :class:`~mcjepa_mm.models.backbones.MCJEPAConvNeXt`.

    Raises:
        SwapError: If no choice of levels has these strides.

    Example:
        >>> fit_levels([4, 8, 16, 32])
        ((2, 3, 4, 5), (2, 2, 1, 2, 2, 2))
        >>> fit_levels([4, 8, 8, 8])
        ((2, 3, 4, 5), (2, 2, 1, 2, 1, 1))
    """
    wanted = f'maps of strides {", ".join(map(str, strides))}'
    if list(strides) != sorted(strides):
        raise SwapError(
            f'{wanted} do not go from fine to coarse, as the levels of an '
            'encoder do'
        )
    levels = [_LAST]
    for stride, following in zip(strides[-2::-1], strides[:0:-1]):
        before = levels[0] - 1
        if stride != following:
            before = min(before, _NATURAL.get(stride, _LAST))
        levels.insert(0, before)

    steps: list[int] = []
    reached, position = 1, 0
    for level, stride in zip(levels, strides):
        halvings = log2(stride / reached)
        room = level + 1 - position
        if not halvings.is_integer() or not 0 <= halvings <= room:
            raise SwapError(
                f'{wanted} do not fit: an MCJEPAConvNeXt has {NUM_LEVELS} '
                'levels, each of which halves the resolution or keeps it'
            )
        halvings = int(halvings)
        steps += [2] * halvings + [1] * (room - halvings)
        reached, position = stride, level + 1
    return tuple(levels), tuple(steps)
