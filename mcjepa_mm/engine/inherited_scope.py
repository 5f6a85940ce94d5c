"""Registry scopes of configs that inherit from another project."""

import os
from typing import Any

from mmengine.config import Config

_OWN = 'mcjepa_mm'


def read_config(path: str | os.PathLike) -> Config:
    """Read a config and keep the registry scope of inherited parts.

    ``_base_ = 'mcjepa_mm::...'`` has mmengine write this package's scope
    into each part, and then look only here for ``EncoderDecoder``, and call
    a collate function with it. The configs count on ``default_scope``; those
    for other projects name what is of this package by its prefix.

    Args:
        path (str | PathLike): The file.
    """
    cfg = Config.fromfile(path)
    if cfg.get('default_scope'):
        _drop(cfg._cfg_dict)
    return cfg


def _drop(part: Any) -> None:
    if isinstance(part, dict):
        if part.get('_scope_') == _OWN:
            del part['_scope_']
        part = part.values()
    elif not isinstance(part, (list, tuple)):
        return
    for each in part:
        _drop(each)
