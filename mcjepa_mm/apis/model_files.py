"""Find configs by name and load checkpoints strictly."""

import os
from pathlib import Path
from typing import Any

from torch import nn

from mcjepa_mm.models.backbones.convnext import say_settings
from mcjepa_mm.utils.checkpoint import compare_state_dict, read_checkpoint
from mcjepa_mm.utils.named_weights import say_names

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
        f'this package in {_CONFIGS}; its weights, which need none, are '
        f'{say_names()}'
    )


def fill_model(model: nn.Module, path: str | os.PathLike) -> dict[str, Any]:
    """Fill the whole model; mmengine would leave parts of it random.

    Returns:
        dict: What the checkpoint says about its origin.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, or does not fill the model, which
            then is as it was.
    """
    tensors, meta = read_checkpoint(path)
    given = {str(k).removeprefix('module.'): v for k, v in tensors.items()}
    wanted = model.state_dict()
    unfilled = compare_state_dict(tensors, wanted).unfilled
    if unfilled:
        raise ValueError(
            f'{path} does not fit the model: {len(unfilled)} of its '
            f'{len(wanted)} tensors are missing there or of another shape, '
            f'such as {unfilled[0]!r}; give the config that the checkpoint '
            'was trained with.' + say_settings(given, 'backbone.')
        )
    model.load_state_dict({key: given[key] for key in wanted})
    return meta
