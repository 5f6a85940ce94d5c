"""On-disk cache of video indices.

A file in the user's cache folder for each video, never one beside it. Each
begins with a checksum, and has the video's size and time of change and the
version of FFmpeg: an entry that is damaged, or of something else, counts as
none.
"""

import hashlib
import json
import os
import tempfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any

from av import library_versions

from mcjepa_mm.datasets.clips import warn

_FORMAT = 3
_DIGEST = hashlib.sha256().digest_size


def load_entry(path: str, size: int, changed: int) -> Any:
    """Load what :func:`save_entry` wrote for this video, or None."""
    try:
        content = _entry(path).read_bytes()
    except OSError:
        return None  # there is none, and it is made
    digest, packed = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(packed).digest() != digest:
        return None
    entry = json.loads(zlib.decompress(packed))
    return entry[1] if entry[0] == _key(path, size, changed) else None


def save_entry(path: str, size: int, changed: int, found: Any) -> None:
    """Write an entry as JSON; see :func:`load_entry`.

    Processes may write at the same time: a file takes its name when it is
    whole. Where nothing can be written a warning says so, once.
    """
    text = json.dumps([_key(path, size, changed), found])
    packed = zlib.compress(text.encode(), 1)
    entry = _entry(path)
    part = None
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        # not forced to the disk: what a loss of power damages is made anew
        number, part = tempfile.mkstemp('.part', dir=entry.parent)
        with os.fdopen(number, 'wb') as file:
            file.write(hashlib.sha256(packed).digest() + packed)
        os.replace(part, entry)
    except OSError as error:
        if part:
            Path(part).unlink(missing_ok=True)
        _warn(str(cache_folder()), error.strerror)


def cache_folder() -> Path:
    """``$MCJEPA_CACHE``, or ``mcjepa_mm`` in the user's cache folder."""
    own = os.environ.get('MCJEPA_CACHE')
    if own:
        return Path(own).expanduser()
    base = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(base).expanduser() / 'mcjepa_mm'


def _entry(path: str) -> Path:
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
    return cache_folder() / 'videos' / name[:2] / name


def _key(path: str, size: int, changed: int) -> list:
    # which frames there are can depend on the decoder
    versions = [[name, *v] for name, v in sorted(library_versions.items())]
    return [_FORMAT, path, size, changed, versions]


@cache
def _warn(folder: str, why: str) -> None:
    warn(
        f'What is found in videos cannot be kept in {folder} ({why}), so each '
        'start reads all of them: set MCJEPA_CACHE to a folder that can be '
        'written'
    )
