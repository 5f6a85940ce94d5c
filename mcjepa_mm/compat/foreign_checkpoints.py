"""Checkpoints of strangers that run nothing.

When it applies
    ``load_from``, ``--resume`` and ``init_cfg=dict(type='Pretrained')`` load
    through mmengine's ``CheckpointLoader``.
Why
    An address (``https://``, and the names of model zoos that become one) is
    loaded by ``torch.hub.load_state_dict_from_url``, whose default is
    ``weights_only=False``: it runs what the file names. A local file is
    loaded by ``torch.load`` with its default, which the environment variable
    TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD turns round; what it refuses it refuses
    without the file's name, and with the advice to switch the check off.
When it can go
    When mmengine passes ``weights_only=True`` itself.

Files from Petrel and PAVI, whose clients are no public packages, are loaded
as before, by torch's default.
"""

import os
from collections.abc import Callable
from functools import wraps
from inspect import signature
from types import ModuleType
from typing import Any

from mcjepa_mm.compat.import_hook import on_import

_applied = False


def needed() -> bool:
    """Whether ``torch.hub`` runs what a downloaded file names."""
    from torch.hub import load_state_dict_from_url

    default = signature(load_state_dict_from_url).parameters['weights_only']
    return default.default is not True


def apply() -> None:
    """Mend the loaders as soon as somebody imports them."""
    global _applied
    if not _applied:
        _applied = True
        on_import('mmengine.runner.checkpoint', after=_mend)


def applied() -> bool:
    """Whether the loaders are mended, or will be when they are imported."""
    return _applied


def _mend(checkpoint: ModuleType) -> None:
    checkpoint.CheckpointLoader.register_scheme(
        prefixes='', loader=load_from_local, force=True
    )
    checkpoint.load_url = _plain(checkpoint.load_url)


# mmengine makes what it prints out of the part behind 'load_from_'.
def load_from_local(filename: str, map_location: Any) -> Any:
    """Load a local checkpoint and run nothing of it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds more than tensors, numbers, strings and
            containers, or is no checkpoint.
    """
    from mcjepa_mm.plain_load import load_plain

    path = os.path.expanduser(filename)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path} can not be found.')
    return load_plain(path, map_location)


def _plain(upstream: Callable) -> Callable:
    @wraps(upstream)
    def load_url(url: str, *args, **kwargs) -> Any:
        from mcjepa_mm.plain_load import unreadable

        try:
            return upstream(url, *args, **{**kwargs, 'weights_only': True})
        except OSError:  # the network's, which name the address
            raise
        # a stranger's file can trip over anything, as in load_plain
        except Exception as error:
            message = unreadable(url, error)
        # not from torch's error, which tells how to run it after all
        raise ValueError(message)

    return load_url
