"""Atomic file writes."""

import errno
import io
import os
import platform
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LONGEST_NAME = 255
"""Most bytes of a file's name, on nearly every file system."""

_HOST = re.sub(r'\W', '_', platform.node())
_LEFTOVER = re.compile(rf'.+\.{_HOST}\.(\d{{1,7}})\.part')
_cleaned: set[Path] = set()


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file atomically, or leave the old one.

    Args:
        path (Path): File in a folder that exists.
        content (bytes): All of it.

    Raises:
        OSError: As :func:`atomic_open`.
    """
    with atomic_open(path) as file:
        file.write(content)


@contextmanager
def atomic_open(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open a file for writing that is renamed into place on close.

    The content goes to a file beside it, ``NAME.HOST.PROCESS.part`` (of a long
    name only what there is room for and a checksum), is
    forced to the disk and takes the name then. So neither a full disk, nor a
    kill, nor a loss of power leaves half a file. What a killed process leaves
    is the ``.part``: the first write of a process to a folder removes those
    of processes of this machine that are no longer there. Others it cannot
    know; they may be removed by hand.

    Args:
        path (str | PathLike): File in a folder that exists.

    Yields:
        BinaryIO: The open file.

    Raises:
        OSError: If it cannot be written, with the ``errno`` of the cause, the
            file's name and what to do. What was there before is as it was.
    """
    path = Path(path)
    # processes that share a folder must not share the temporary file
    part = path.with_name(part_name(path.name))
    disk = None
    try:
        _remove_leftovers(path.parent)
        disk = _Disk(part, 'wb')
        with io.BufferedWriter(disk) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except Exception as error:
        cause = error if isinstance(error, OSError) else None
        if cause is None and disk is not None:
            cause = disk.error
        if cause is None or cause.errno is None:
            raise
        raise OSError(cause.errno, _explain(path, cause)) from error
    finally:
        if disk is not None:
            part.unlink(missing_ok=True)
    _sync_folder(path.parent)


def part_name(name: str) -> str:
    """Name of this process's temporary file for a file."""
    tail = f'.{_HOST}.{os.getpid()}.part'
    whole = os.fsencode(name)
    room = LONGEST_NAME - len(os.fsencode(tail))
    if len(whole) > room:
        # names that differ at their ends only must go on to differ
        tail = f'.{zlib.crc32(whole):08x}{tail}'
        # a letter that is cut in two is dropped
        name = whole[: room - 9].decode(errors='ignore')
    return name + tail


class _Disk(io.FileIO):
    """A file object that records why a write failed.

    torch.save closes its archive where a write fails, and raises what goes
    wrong with that.
    """

    error: OSError | None = None

    def write(self, data) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.error = error
            raise


def _explain(path: Path, cause: OSError) -> str:
    remedy = 'see that its folder exists and can be written to'
    if cause.errno in _FULL:
        remedy = 'free space there, or raise the limit'
    return (
        f'{path} could not be written: {cause.strerror}. What was there '
        f'before is as it was; {remedy}.'
    )


def _sync_folder(folder: Path) -> None:
    # The new name is an entry of the folder, which has to reach the disk too.
    # Windows opens no folders.
    if os.name != 'posix':
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # what a file system says that has nothing to force
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)


def _remove_leftovers(folder: Path) -> None:
    # Once, because a folder of many pictures takes long to list.
    folder = folder.absolute()
    if folder in _cleaned:
        return
    for name in os.listdir(folder):
        match = _LEFTOVER.fullmatch(name)
        if match and not _runs(int(match[1])):
            with suppress(PermissionError):  # another user's
                (folder / name).unlink(missing_ok=True)
    _cleaned.add(folder)


def _runs(process: int) -> bool:
    # Windows ends a process by what is a question elsewhere.
    if os.name != 'posix':
        return True
    with suppress(PermissionError):  # another user's
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True
