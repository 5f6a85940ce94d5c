"""The config of the backbone that comes in."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcjepa_mm.models.backbones import read_backbone

from .errors import SwapError
from .levels import fit_levels

# Settings of a run rather than of the old architecture: they stay.
CARRIED = ('drop_path_rate', 'with_cp')


@dataclass(frozen=True)
class NewBackbone:
    """An MCJEPAConvNeXt, but for its levels.

    Attributes:
        settings (dict): Arguments that the checkpoint decides.
        init_cfg (dict, optional): Where its weights come from.
    """

    settings: Mapping[str, Any] = field(
        default_factory=lambda: dict(arch='tiny')
    )
    init_cfg: Mapping[str, Any] | None = None

    @classmethod
    def from_checkpoint(cls, path: str | os.PathLike) -> 'NewBackbone':
        """The encoder of a checkpoint.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it holds no MCJEPAConvNeXt, or is a
                ``.safetensors`` file, which mmengine cannot load.
        """
        path = Path(path).absolute()
        if path.suffix == '.safetensors':
            raise ValueError(
                f'mmengine loads no safetensors, so a config cannot name '
                f'{path}; give the .pth file'
            )
        trained = read_backbone(path)
        init_cfg = dict(
            type='Pretrained', checkpoint=str(path), prefix=trained.prefix
        )
        if not trained.prefix:
            del init_cfg['prefix']
        return cls(trained.settings, init_cfg)

    def config(self, strides: Sequence[int], old: Mapping) -> dict[str, Any]:
        """Its config in the place of another backbone.

        Args:
            strides (Sequence[int]): Strides of the maps that it replaces.
            old (Mapping): Config of the other backbone.

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
        )
        config.update({key: old[key] for key in CARRIED if old.get(key)})
        if self.init_cfg is not None:
            config['init_cfg'] = dict(self.init_cfg)
        return config
