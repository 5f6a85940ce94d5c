"""Load torch files without executing code from them.

A pickle is a program: rebuilding its objects calls whatever it names. Of a
checkpoint, ``weights_only=True`` rebuilds tensors, numbers, strings and
containers, and raises at any other name.
"""

import os
from collections.abc import Callable
from typing import Any

import torch


def safe_load(
    path: str | os.PathLike,
    map_location: str | torch.device | Callable | dict | None = 'cpu',
) -> Any:
    """Load a file with ``weights_only=True``, whatever torch's default.

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
    except Exception as error:  # noqa: BLE001
        refusal = load_error(path, error)
    # Not from torch's error, which tells how to run the file's code after all.
    raise refusal


def load_error(name: str | os.PathLike, error: Exception) -> ValueError:
    """Make the error for a file that is not a checkpoint.

    torch's own words differ from version to version, and advise to switch
    the check off.

    Args:
        name (str | PathLike): The file, or its address.
        error (Exception): What reading it raised.
    """
    if isinstance(error, OSError):  # the system's words, not torch's
        return ValueError(f'{name} cannot be read: {error}')
    return ValueError(
        f'{name} is no checkpoint that can be loaded '
        f'({type(error).__name__}): it is damaged, or of another format (the '
        'name of a safetensors file has to end in .safetensors), or holds '
        'objects, which only code of its choice could rebuild. If mmengine '
        'wrote it, `mim run mcjepa_mm plain_checkpoint OLD NEW` makes one of '
        'it that loads, and runs nothing of it'
    )
