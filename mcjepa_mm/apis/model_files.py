"""A model's files: its config, by path or name, and its checkpoint."""

import os
from pathlib import Path
from typing import Any

from torch import nn

from mcjepa_mm.checkpoint_file import read_checkpoint
from mcjepa_mm.models.backbones import TrainedBackbone, read_backbone

# ImageNet's statistics of RGB, 0 to 255, as the pretraining normalises
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)

_CONFIGS = Path(__file__).parents[1] / '.mim' / 'configs'


def find_config(name: str | os.PathLike) -> str:
    """A config's path, from the path or as MIM does from the file's name.

    Raises:
        FileNotFoundError: If there is neither.
    """
    name = os.fspath(name)
    if os.path.isfile(name):
        return name
    for path in sorted(_CONFIGS.rglob('*.py')):
        if path.name in (name, f'{name}.py'):
            return str(path)
    raise FileNotFoundError(
        f'there is no config {name!r}, neither as a file nor among those of '
        f'this package in {_CONFIGS}'
    )


def read_color_encoder(path: str | os.PathLike) -> TrainedBackbone:
    """Read the encoder out of a checkpoint, and refuse one of other images.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it holds no encoder of colour images.
    """
    found = read_backbone(path)
    channels = found.settings.get('in_channels', 3)
    if channels != 3:
        raise ValueError(
            f'{path} holds an encoder of images with {channels} '
            'channels; colour images have 3'
        )
    return found


def fill_model(model: nn.Module, path: str | os.PathLike) -> dict[str, Any]:
    """Fill the whole model; mmengine would leave parts of it random.

    Args:
        model (nn.Module): The model.
        path (str | PathLike): A checkpoint that may hold more.

    Returns:
        dict: What the checkpoint says about its origin.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, or does not fill the model, which
            then is as it was.
    """
    tensors, meta = read_checkpoint(path)
    given = {
        str(key).removeprefix('module.'): value
        for key, value in tensors.items()
    }
    wanted = model.state_dict()
    unfit = [
        key
        for key, value in wanted.items()
        if getattr(given.get(key), 'shape', None) != value.shape
    ]
    if unfit:
        raise ValueError(
            f'{path} does not fit the model: {len(unfit)} of its '
            f'{len(wanted)} tensors are missing there or of another shape, '
            f'such as {unfit[0]!r}; give the config that the checkpoint was '
            'trained with'
        )
    model.load_state_dict({key: given[key] for key in wanted})
    return meta
