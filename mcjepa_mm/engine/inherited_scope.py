"""Configs for models of other projects that inherit one of this package."""

from typing import Any

from mmengine.config import Config

_OWN = 'mcjepa_mm'


def drop_inherited_scope(cfg: Config) -> None:
    """Let inherited parts mean what they mean in their own file, in place.

    ``_base_ = 'mcjepa_mm::...'`` has mmengine write this package's scope
    into each part, and then look only here for ``EncoderDecoder``. The configs
    for other projects count on ``default_scope`` and name what is of this
    package by its prefix.

    Args:
        cfg (Config): A config as it was read from a file.
    """
    if cfg.get('default_scope') not in (None, _OWN):
        _drop(cfg._cfg_dict)


def _drop(part: Any) -> None:
    if isinstance(part, dict):
        if part.get('_scope_') == _OWN:
            del part['_scope_']
        part = part.values()
    elif not isinstance(part, (list, tuple)):
        return
    for each in part:
        _drop(each)
