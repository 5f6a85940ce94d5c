"""Write the config of a swap as text."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

from mcjepa_mm.utils.config_text import format_config

_HEADING = """\
# {base}
# with the encoder of MC-JEPA as its backbone; written by
#   mim run mcjepa_mm swap_backbone
"""
_FIRST = ('_delete_', 'type')


def plain(value: Any) -> Any:
    """A config's value in plain dicts, lists and tuples."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    return value


def difference(old: Any, new: Any) -> Any:
    """What a config that inherits ``old`` must say to become ``new``.

    For two dicts these are the keys that differ, with ``_delete_`` where a
    key must go or the type changes. Otherwise it is ``new``.
    """
    if not isinstance(new, Mapping):
        return plain(new)
    if (
        not isinstance(old, Mapping)
        or set(old) - set(new)
        or old.get('type') != new.get('type')
    ):
        return dict(_delete_=True, **plain(new))
    return {
        key: difference(old[key], value) if key in old else plain(value)
        for key, value in new.items()
        if key not in old or old[key] != value
    }


def write_config(
    base: str, changes: Mapping[str, Any], notes: list[str]
) -> str:
    """Source of a config that inherits ``base``, notes as its heading."""
    heading = _HEADING.format(base=base)
    for note in notes:
        heading += fill(
            note, width=79, initial_indent='# - ', subsequent_indent='#   '
        )
        heading += '\n'
    settings = [('_base_', base), *changes.items()]
    body = '\n'.join(f'{key} = {_source(item)}' for key, item in settings)
    return heading + format_config(body)


def _source(value: Any) -> str:
    """A value as configs write it, in one line."""
    if isinstance(value, Mapping):
        items = sorted(value.items(), key=lambda item: item[0] not in _FIRST)
        if all(isinstance(k, str) and k.isidentifier() for k in value):
            return f'dict({", ".join(f"{k}={_source(v)}" for k, v in items)})'
        pairs = ', '.join(f'{k!r}: {_source(v)}' for k, v in items)
        return f'{{{pairs}}}'
    if isinstance(value, list):
        return f'[{", ".join(map(_source, value))}]'
    if isinstance(value, tuple):
        comma = ',' if len(value) == 1 else ''
        return f'({", ".join(map(_source, value))}{comma})'
    return repr(value)
