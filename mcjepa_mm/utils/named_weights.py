"""Weights that come with this package, by name.

``publish`` writes them to ``mcjepa_mm/weights``, as ``NAME-xxxxxxxx.pth``.
The last word of NAME is a name too: ``micro``.
"""

import os
import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / 'weights'
SCHEME = 'mcjepa://'
_HASH = re.compile(r'-[0-9a-f]{8}$')  # as publish adds it


def named_weights() -> dict[str, Path]:
    """The files by name."""
    return {_HASH.sub('', x.stem): x for x in sorted(FOLDER.glob('*.pth'))}


def full_name(name: object) -> str | None:
    """The full name of weights of this package, None of anything else.

    A file of that name comes first.
    """
    if not isinstance(name, (str, os.PathLike)) or os.path.isfile(name):
        return None
    word = os.fspath(name).removeprefix(SCHEME)
    for known in named_weights():
        if word in (known, _short(known)):
            return known
    return None


def find_weights(name: str | os.PathLike) -> Path:
    """A checkpoint's path, from the path or a name, with scheme or without.

    Raises:
        FileNotFoundError: If there is neither, with the names.
    """
    if os.path.isfile(name):
        return Path(name)
    found = full_name(name)
    if found is None:
        raise FileNotFoundError(
            f'there is no checkpoint {os.fspath(name)!r}, neither as a file '
            f'nor among the weights of this package: {say_names()}'
        )
    return named_weights()[found]


def say_names() -> str:
    """The names, for messages."""
    return ', '.join(f'{_short(x)} ({x})' for x in named_weights()) or 'none'


def _short(name: str) -> str:
    return name.rpartition('-')[2]
