"""Loading of what torch wrote, that runs nothing of the file.

A pickle is a program: rebuilding its objects calls whatever it names. Of a
checkpoint, ``weights_only=True`` rebuilds tensors, numbers, strings and
containers, and raises at any other name.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

_NAMED = re.compile(r'GLOBAL (\S+) (?:was not|whose module)')
# What torch says around the cause: how to run the code all the same.
_ADVICE = re.compile(
    r'Weights only load failed\.|In PyTorch 2\.6.*?trusted source\.'
    r'|Please file an issue.*?error:|Check the documentation.*',
    re.DOTALL,
)


def safe_load(
    path: str | os.PathLike,
    map_location: str | torch.device | Callable | dict | None = 'cpu',
) -> Any:
    """Load a file of ``torch.save``, whatever torch's defaults are here.

    Args:
        path (str | PathLike): A file that exists.
        map_location (optional): As in ``torch.load``. Defaults to 'cpu'.

    Returns:
        Any: Tensors, numbers, strings and containers of them.

    Raises:
        ValueError: If it cannot be read, or holds anything else.
    """
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    # what is raised depends on which byte of a foreign file it trips over
    except Exception as error:
        message = explain_load_error(path, error)
    # Not from torch's error, which tells how to run the file's code after all.
    raise ValueError(message)


def explain_load_error(name: str | os.PathLike, error: Exception) -> str:
    """Say in one line why a file is no checkpoint.

    Args:
        name (str | PathLike): The file, or its address.
        error (Exception): What torch said.

    Returns:
        str: The cause, without torch's advice to switch the check off.
    """
    if named := _NAMED.search(str(error)):
        return (
            f'{name} is refused: it names {named[1]!r}, which is no tensor, '
            'number, string or container, and could be rebuilt only by code '
            'that the file chooses. If mmengine wrote this checkpoint, '
            'tools/model_converters/plain_checkpoint.py makes one of it that '
            'loads, and runs nothing of the file'
        )
    if Path(name).suffix != '.safetensors' and _is_safetensors(name):
        return (
            f'{name} cannot be read as a checkpoint: it is a safetensors '
            'file, so its name has to end in .safetensors'
        )
    reason = _ADVICE.sub('', str(error)).strip().partition('\n')[0].strip()
    reason = reason or type(error).__name__
    return f'{name} cannot be read as a checkpoint: {reason}'


def _is_safetensors(name: str | os.PathLike) -> bool:
    # the length of a header in JSON, then the header
    if not os.path.isfile(name):
        return False
    with open(name, 'rb') as file:
        return file.read(9)[8:] == b'{'
