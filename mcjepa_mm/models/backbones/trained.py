"""What a checkpoint tells about the encoder that it holds."""

import os
import re
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from mcjepa_mm.checkpoint_file import read_checkpoint

from .convnext import ARCHS

# Where a run of this package and of OpenMMLab's others leaves an encoder, and
# where its own file has it. The first one that fits is taken.
PREFIXES = ('backbone.', 'module.backbone.', '')
_BLOCK = re.compile(r'stages\.(\d)\.(\d+)\.depthwise_conv\.weight')
_FIRST = 'stem.0.0.weight'
_NORM = 'stem.0.1.running_mean'


@dataclass(frozen=True)
class TrainedBackbone:
    """The encoder of a checkpoint.

    Attributes:
        state_dict (dict[str, Tensor]): Its weights, without the prefix.
        prefix (str): What precedes its keys in the checkpoint, as
            ``init_cfg=dict(type='Pretrained', prefix=...)`` wants it.
        settings (dict): Those arguments of :class:`MCJEPAConvNeXt` that the
            weights decide, where they are not the default: ``arch``,
            ``in_channels``, ``layer_scale_init_value`` and ``norm_cfg``.
        meta (dict): What the checkpoint says about its origin.
    """

    state_dict: dict[str, Tensor]
    prefix: str
    settings: dict[str, Any]
    meta: dict[str, Any] = field(default_factory=dict)


def read_backbone(path: str | os.PathLike) -> TrainedBackbone:
    """Read the encoder out of a checkpoint of any of its users.

    Args:
        path (str | PathLike): Checkpoint of a pretraining, of a model with
            this backbone, or of the backbone alone; ``.safetensors`` files
            hold the last.

    Returns:
        TrainedBackbone: The encoder and the settings that fit it.

    Raises:
        FileNotFoundError, ImportError: As :func:`read_checkpoint`.
        ValueError: If it is no checkpoint, or holds no MCJEPAConvNeXt.
    """
    keys, meta = read_checkpoint(path)
    for prefix in PREFIXES:
        if f'{prefix}{_FIRST}' not in keys:
            continue
        state_dict = {
            key.removeprefix(prefix): value
            for key, value in keys.items()
            if key.startswith(prefix)
        }
        settings = backbone_settings(state_dict, path)
        return TrainedBackbone(state_dict, prefix, settings, meta)
    raise ValueError(
        f'{path} holds no MCJEPAConvNeXt: expected keys like '
        f'{PREFIXES[0] + _FIRST!r} or {_FIRST!r}, it has '
        f'{[str(key) for key in list(keys)[:3]]}; name a checkpoint of a '
        'pretraining of this package or of a model with its backbone'
    )


def backbone_settings(
    state_dict: dict[str, Tensor], path: str | os.PathLike
) -> dict[str, Any]:
    """Read the arguments of :class:`MCJEPAConvNeXt` off its weights.

    Args:
        state_dict (dict[str, Tensor]): Weights with the encoder's own names;
            the stem may be missing.
        path (str | PathLike): Where they come from, for the error.

    Returns:
        dict: See :attr:`TrainedBackbone.settings`.

    Raises:
        ValueError: If a stage has no block.
    """
    depths, channels = [0] * 4, [0] * 4
    for key, value in state_dict.items():
        if match := _BLOCK.fullmatch(key):
            stage, block = map(int, match.groups())
            depths[stage] = max(depths[stage], block + 1)
            channels[stage] = value.shape[0]
    if not all(depths):
        raise ValueError(
            f'{path} holds part of an MCJEPAConvNeXt only: expected blocks '
            f'in four stages, got {depths}'
        )
    arch: str | dict = dict(depths=tuple(depths), channels=tuple(channels))
    for name, known in ARCHS.items():
        if known == arch:
            arch = name
    settings: dict[str, Any] = dict(arch=arch)
    if _FIRST in state_dict and state_dict[_FIRST].shape[1] != 3:
        settings['in_channels'] = state_dict[_FIRST].shape[1]
    if not any(key.endswith('.gamma') for key in state_dict):
        settings['layer_scale_init_value'] = 0.0
    if _NORM in state_dict:
        settings['norm_cfg'] = dict(type='BN')
    return settings
