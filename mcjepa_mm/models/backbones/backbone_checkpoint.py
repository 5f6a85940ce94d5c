"""Read the encoder and its settings from a checkpoint."""

import os
import re
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mcjepa_mm.utils.checkpoint import compare_state_dict, read_checkpoint

from .convnext import ARCHS, MCJEPAConvNeXt

# ImageNet's statistics of RGB, 0 to 255, as the pretraining normalises
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)

# Where a run of this package and of OpenMMLab's others leaves an encoder, and
# where its own file has it. The first one that fits is taken.
PREFIXES = ('backbone.', 'module.backbone.', '')
_BLOCK = re.compile(r'stages\.(\d)\.(\d+)\.depthwise_conv\.weight')
_FIRST = 'stem.0.0.weight'
_NORM = 'stem.0.1.running_mean'


@dataclass(frozen=True)
class BackboneCheckpoint:
    """Weights and settings of a checkpoint's encoder.

    Attributes:
        state_dict (dict[str, Tensor]): Its weights, without the prefix.
        prefix (str, optional): What precedes its keys in the checkpoint, as
            ``init_cfg=dict(type='Pretrained', prefix=...)`` wants it.
        settings (dict): Those arguments of :class:`MCJEPAConvNeXt` that the
            weights decide, where they are not the default: ``arch``,
            ``in_channels``, ``layer_scale_init_value`` and ``norm_cfg``.
        meta (dict): What the checkpoint says about its origin.
    """

    state_dict: dict[str, Tensor]
    prefix: str | None
    settings: dict[str, Any]
    meta: dict[str, Any] = field(default_factory=dict)

    def build(self, path: str | os.PathLike, **settings) -> MCJEPAConvNeXt:
        """Build the encoder and load these weights.

        Args:
            path (str | PathLike): Where they come from, for the error.
            **settings: Arguments of :class:`MCJEPAConvNeXt` that the weights
                do not decide, such as ``strides``.

        Raises:
            ValueError: If the encoder is not whole.
        """
        with torch.random.fork_rng(devices=[]):  # what is drawn is replaced
            encoder = MCJEPAConvNeXt(**self.settings, **settings)
        difference = compare_state_dict(self.state_dict, encoder.state_dict())
        if any(difference):
            raise ValueError(
                f'{path} holds no whole MCJEPAConvNeXt: {difference}'
            )
        encoder.load_state_dict(self.state_dict)
        return encoder


def read_backbone(
    path: str | os.PathLike, *, in_channels: int | None = None
) -> BackboneCheckpoint:
    """Read the encoder from a checkpoint of any model with one.

    Args:
        path (str | PathLike): Checkpoint of a pretraining, of a model with
            this backbone, or of the backbone alone; ``.safetensors`` files
            hold the last.
        in_channels (int, optional): Channels that the images to come have.

    Returns:
        BackboneCheckpoint: The encoder and the settings that fit it.

    Raises:
        FileNotFoundError, ImportError: As :func:`read_checkpoint`.
        ValueError: If it is no checkpoint, or holds no MCJEPAConvNeXt, or
            one of images with other channels.
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
        found = settings.get('in_channels', 3)
        if in_channels not in (None, found):
            raise ValueError(
                f'{path} holds an encoder of images with {found} channels; '
                f'expected {in_channels}'
            )
        return BackboneCheckpoint(state_dict, prefix or None, settings, meta)
    raise ValueError(
        f'{path} holds no MCJEPAConvNeXt: expected keys like '
        f'{PREFIXES[0] + _FIRST!r} or {_FIRST!r}, it has '
        f'{[str(key) for key in list(keys)[:3]]}; name a checkpoint of a '
        'pretraining of this package or of a model with its backbone'
    )


def backbone_settings(
    state_dict: dict[str, Tensor], path: str | os.PathLike
) -> dict[str, Any]:
    """Infer the arguments of :class:`MCJEPAConvNeXt` from its weights.

    Args:
        state_dict (dict[str, Tensor]): Weights with the encoder's own names;
            the stem may be missing.
        path (str | PathLike): Where they come from, for the error.

    Returns:
        dict: See :attr:`BackboneCheckpoint.settings`.

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
    stem = state_dict.get(_FIRST)
    # of any shape where an error says what a checkpoint holds
    if stem is not None and stem.ndim == 4 and stem.shape[1] != 3:
        settings['in_channels'] = stem.shape[1]
    if not any(key.endswith('.gamma') for key in state_dict):
        settings['layer_scale_init_value'] = 0.0
    if _NORM in state_dict:
        settings['norm_cfg'] = dict(type='BN')
    return settings
