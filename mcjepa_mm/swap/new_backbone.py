"""Config of the new backbone, with levels of matching strides."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

from mcjepa_mm.models.backbones import read_backbone
from mcjepa_mm.models.backbones.convnext import NUM_LEVELS
from mcjepa_mm.utils.named_weights import SCHEME, full_name

from .measure import SwapError

# Settings of a run rather than of the old architecture: they stay.
CARRIED = ('drop_path_rate', 'with_cp')
# The level that a ConvNeXt has at a stride: its stages from 4 on, the stem
# before that.
_NATURAL = {1: 0, 2: 0, 4: 2, 8: 3, 16: 4}
_LAST = NUM_LEVELS - 1


@dataclass(frozen=True)
class NewBackbone:
    """An MCJEPAConvNeXt, but for its levels.

    Attributes:
        settings (dict): Arguments that the checkpoint decides.
        init_cfg (dict, optional): Where its weights come from.
    """

    settings: Mapping[str, Any]
    init_cfg: Mapping[str, Any] | None = None

    @classmethod
    def from_checkpoint(cls, path: str | os.PathLike) -> 'NewBackbone':
        """The encoder of a checkpoint, or of weights of this package by name.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it holds no MCJEPAConvNeXt, or is a
                ``.safetensors`` file, which mmengine cannot load.
        """
        if os.fspath(path).endswith('.safetensors'):
            raise ValueError(
                f'mmengine loads no safetensors, so a config cannot name '
                f'{path}; give the .pth file'
            )
        trained = read_backbone(path)
        if name := full_name(path):
            # not where they are installed here
            checkpoint = f'{SCHEME}{name}'
        else:
            checkpoint = os.path.abspath(path)
        init_cfg = dict(
            type='Pretrained', checkpoint=checkpoint, prefix=trained.prefix
        )
        return cls(trained.settings, init_cfg)

    def config(self, strides: Sequence[int], old: Mapping) -> dict[str, Any]:
        """Its config in the place of ``old``, whose maps have ``strides``.

        Raises:
            SwapError: If no levels have these strides, or the other backbone
                reads images of another number of channels.
        """
        own = self.settings.get('in_channels', 3)
        given = old.get('in_channels', 3)
        if given != own:
            raise SwapError(
                f'{old.get("type")} reads images of {given} channels '
                f'(in_channels={given}), and the encoder reads {own}: its '
                'weights say nothing of the others. Take a config of '
                f'{own} channels'
            )
        out_indices, own_strides = fit_levels(strides)
        config = dict(
            type='mcjepa_mm.MCJEPAConvNeXt',
            **self.settings,
            out_indices=out_indices,
            strides=own_strides,
            # As other backbones return them: DMHead, for one, uses view.
            contiguous=True,
            **{key: old[key] for key in CARRIED if old.get(key)},
        )
        if self.init_cfg is not None:
            config['init_cfg'] = dict(self.init_cfg)
        return config


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
    reached = 1
    for level, stride in zip(levels, strides):
        halvings = log2(stride / reached)
        room = level + 1 - len(steps)
        if not halvings.is_integer() or not 0 <= halvings <= room:
            raise SwapError(
                f'{wanted} do not fit: an MCJEPAConvNeXt has {NUM_LEVELS} '
                'levels, each of which halves the resolution or keeps it'
            )
        steps += [2] * int(halvings) + [1] * (room - int(halvings))
        reached = stride
    return tuple(levels), tuple(steps)
