"""Pack folders of images and videos into few tar files.

A folder of a million small files is slow to list, to copy and to read in
random order. :func:`pack_folder` makes a
:class:`~mcjepa_mm.datasets.packed_folder.PackedFolder` of it, which gives the
same samples in the same order.
"""

import io
import itertools
import json
import os
import tarfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import simplejpeg
from mmengine.logging import print_log
from PIL import Image

from mcjepa_mm.datasets.bad_samples import BadSampleError
from mcjepa_mm.datasets.clips import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    listing,
    name_unused,
    walk,
    warn,
)
from mcjepa_mm.datasets.image_integrity import image_header
from mcjepa_mm.datasets.packed_folder import (
    CLIP,
    FORMAT,
    HEADER,
    ROW,
    PackedFolder,
    PackedNames,
    is_packed,
    name_key,
    open_packed,
    read_header,
    shard_path,
)
from mcjepa_mm.datasets.transforms.image_loading import read_image
from mcjepa_mm.datasets.video_decoding import index_video
from mcjepa_mm.datasets.video_file import VideoFile
from mcjepa_mm.utils.atomic_write import atomic_open, atomic_write

_PATIENCE = 10
"""Seconds between two lines of the log."""


class _Clip(NamedTuple):
    """A folder of images, or a video, and the names of its files."""

    path: str
    folder: str  # below the source
    names: Sequence[str]
    is_video: bool


class _Shard(NamedTuple):
    """A shard that is written."""

    size: int
    rows: np.ndarray
    names: list[str]


def pack_folder(
    source: str | os.PathLike,
    out: str | os.PathLike,
    *,
    jpeg: int | None = None,
    shard_mib: int = 1024,
) -> PackedFolder:
    """Pack a folder, or go on where packing it was stopped.

    Images are packed as the bytes they are, damaged ones too, which are named
    in a warning: training then treats them as it does in the folder. Videos
    become their frames. What cannot be read at all is packed as an empty file,
    so that all others keep their places.

    A kill costs the shard that is being written: a shard takes its name when
    it is whole, and the folder can be opened once all are. Packed again, a
    finished folder is compared with its checksums.

    Args:
        source (str | PathLike): Folder with images and videos at any depth.
        out (str | PathLike): Folder to write, not there yet or empty, outside
            ``source``; or one of the same call.
        jpeg (int, optional): Quality of videos' frames, 1 to 100, colours in
            full resolution. Defaults to None: the pixels that the decoder
            gives, uncompressed (TIFF): a PNG takes as long to decode as the
            video.
        shard_mib (int): Size from which a shard takes no more files. Defaults
            to 1024.

    Returns:
        PackedFolder: What was packed.

    Raises:
        FileNotFoundError: If ``source`` is no folder.
        OSError: If ``out`` cannot be written.
        ValueError: If there is nothing to pack, an argument is not possible,
            or ``out`` holds something else, or has changed.
    """
    source = os.path.abspath(os.path.expanduser(source))
    target = Path(os.path.abspath(os.path.expanduser(out)))
    if jpeg is not None and not 1 <= jpeg <= 100:
        raise ValueError(f'jpeg must be a quality from 1 to 100, got {jpeg}')
    if shard_mib < 1:
        raise ValueError(f'shard_mib must be positive, got {shard_mib}')
    settings = dict(
        format=FORMAT, source=source, jpeg=jpeg, shard_mib=shard_mib
    )
    if not _is_finished(target, settings):
        clips = _search(source, target, jpeg)
        target.mkdir(parents=True, exist_ok=True)
        _write_header(target, settings)
        shards = list(_write_shards(target, clips, jpeg, shard_mib * 2**20))
        _write_arrays(target, settings, shards, clips)
    else:
        _verify(open_packed(str(target)))
    for path in target.glob('*.npz'):
        path.unlink()
    return open_packed(str(target))


def _is_finished(out: Path, settings: dict) -> bool:
    """Whether a folder is packed; one of something else is refused."""
    if is_packed(str(out)):
        header = read_header(str(out))
        for key, now in settings.items():
            if header.get(key) != now:
                raise ValueError(
                    f'{out} was packed with {key}={header.get(key)!r}, now '
                    f'{now!r}: give another folder, or the same settings'
                )
        return 'shards' in header
    if out.exists():
        # of a kill in the first moment there is a temporary file
        there = [x for x in os.listdir(out) if not x.startswith(HEADER)]
        if there:
            raise ValueError(
                f'{out} is no packed folder, and not empty {listing(there)}: '
                'give one that is empty or not there yet'
            )
    return False


def _search(source: str, out: Path, jpeg: int | None) -> list[_Clip]:
    """Everything below the source that can be packed."""
    if not os.path.isdir(source):
        raise FileNotFoundError(f'{source} is no folder')
    if Path(os.path.realpath(out)).is_relative_to(os.path.realpath(source)):
        raise ValueError(f'{out} is in {source}: give a folder outside of it')
    clips, others = [], []  # type: list[_Clip], list[str]
    for path, names in walk(source, True, others=others):
        if isinstance(names, PackedNames):
            raise ValueError(f'{names.packed.root} is packed already')
        folder = os.path.relpath(path, source)
        if names:
            folder = '' if folder == '.' else folder
            clips.append(_Clip(path, folder, names, False))
            continue
        try:
            index = index_video(path)
        except BadSampleError as error:
            warn(f'Not packed: {error}')
            continue
        if index.missing:
            warn(f'Packed as far as it goes: {path} is truncated')
        suffix = '.tif' if jpeg is None else '.jpg'
        frames = [f'{number:06d}{suffix}' for number in range(index.count)]
        clips.append(_Clip(path, folder, frames, True))
    name_unused(source, others, 'images and no videos')
    if not clips:
        raise ValueError(
            f'{source} holds nothing to pack: expected images '
            f'({IMAGE_SUFFIXES}) or videos ({VIDEO_SUFFIXES}), at any depth'
        )
    return clips


def _files(
    clips: Iterable[_Clip], jpeg: int | None
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Names of the files, and what reads each."""
    for clip in clips:
        video = VideoFile(clip.path) if clip.is_video else None
        for number, name in enumerate(clip.names):
            read = partial(_read_file, os.path.join(clip.path, name))
            if video:
                read = partial(_read_frame, video, number, jpeg)
            yield os.path.join(clip.folder, name), read


def _read_file(path: str) -> bytes:
    content = b''
    try:
        with open(path, 'rb') as file:
            content = file.read()
        read_image(path)
    except (OSError, BadSampleError) as error:
        warn(f'Damaged, and packed as it is: {error}')
    return content


def _read_frame(video: VideoFile, number: int, jpeg: int | None) -> bytes:
    try:
        frame = video.read(number)
    except BadSampleError as error:
        warn(f'Damaged, and packed as an empty file: {error}')
        return b''
    if jpeg is not None:
        return simplejpeg.encode_jpeg(frame, jpeg, 'RGB', '444')
    content = io.BytesIO()
    Image.fromarray(frame).save(content, 'TIFF')
    return content.getvalue()


def _write_shards(
    out: Path, clips: list[_Clip], jpeg: int | None, limit: int
) -> Iterator[_Shard]:
    files = _files(clips, jpeg)
    progress = _Progress('Packed', sum(len(clip.names) for clip in clips))
    for number in itertools.count():
        shard = _finished_shard(out, number)
        if shard is None:
            shard = _write_shard(out, number, files, limit, progress)
        else:
            _skip(files, shard, out)
            progress.skip(len(shard.names))
        if shard is None:
            return
        yield shard


def _finished_shard(out: Path, number: int) -> _Shard | None:
    path = shard_path(str(out), number)
    if not os.path.isfile(f'{path}.npz'):
        return None
    with np.load(f'{path}.npz') as stored:
        names = os.fsdecode(stored['names'].tobytes()).split('\0')
        shard = _Shard(int(stored['size']), stored['rows'], names)
    there = os.path.isfile(path) and os.path.getsize(path) == shard.size
    return shard if there else None


def _skip(files: Iterator[tuple], shard: _Shard, out: Path) -> None:
    for name in shard.names:
        found, _ = next(files, (None, None))
        if found != name:
            raise ValueError(
                f'the source has changed since packing it to {out} was begun: '
                f'{name} came here, and now {found}. Give another folder'
            )


def _write_shard(
    out: Path,
    number: int,
    files: Iterator[tuple[str, Callable[[], bytes]]],
    limit: int,
    progress: '_Progress',
) -> _Shard | None:
    """Write the next files; None if there is none left."""
    first = next(files, None)
    if first is None:
        return None
    path = shard_path(str(out), number)
    rows, names = [], []
    with (
        atomic_open(path) as file,
        tarfile.open(fileobj=file, mode='w', format=tarfile.GNU_FORMAT) as tar,
    ):
        for name, read in itertools.chain([first], files):
            content = read()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
            # what follows a file begins at a multiple of 512
            offset = file.tell() - -(-len(content) // 512) * 512
            rows.append((number, len(content), offset, zlib.crc32(content), 0))
            names.append(name)
            progress.add(len(content))
            if file.tell() >= limit:
                break
    shard = _Shard(os.path.getsize(path), np.array(rows, ROW), names)
    blob = np.frombuffer(os.fsencode('\0'.join(names)), np.uint8)
    with atomic_open(f'{path}.npz') as file:
        np.savez(file, size=shard.size, rows=shard.rows, names=blob)
    return shard


def _write_arrays(
    out: Path, settings: dict, shards: list[_Shard], clips: list[_Clip]
) -> None:
    """Write what is where, and at last the header that says so."""
    rows = np.concatenate([shard.rows for shard in shards])
    names = [os.fsencode(x) for shard in shards for x in shard.names]
    rows['name_end'] = np.cumsum([len(name) for name in names])
    keys = np.array([name_key(name) for name in names])
    order = keys.argsort(kind='stable').astype(np.uint32)
    first, table = 0, np.zeros(len(clips), CLIP)
    for entry, clip in zip(table, clips):
        entry['first'], entry['is_video'] = first, clip.is_video
        entry['height'], entry['width'] = _size(out, rows[first])
        first += len(clip.names)
    arrays = dict(
        rows=rows,
        names=np.frombuffer(b''.join(names), np.uint8),
        clips=table,
        lookup=np.stack([keys[order], order]),
    )
    checks = {}
    for name, array in arrays.items():
        stored = io.BytesIO()
        np.save(stored, array)
        content = stored.getvalue()
        checks[name] = len(content), zlib.crc32(content)
        atomic_write(out / f'{name}.npy', content)
    sizes = [shard.size for shard in shards]
    _write_header(out, dict(settings, shards=sizes, arrays=checks))


def _write_header(out: Path, header: dict[str, Any]) -> None:
    content = json.dumps(header, indent=1).encode()
    atomic_write(out / HEADER, content)


def _size(out: Path, row: np.ndarray) -> tuple[int, int]:
    """Height and width of a packed image, 0 if its header tells none."""
    with open(shard_path(str(out), int(row['shard'])), 'rb') as file:
        file.seek(int(row['offset']))
        content = file.read(int(row['size']))
    return image_header(io.BytesIO(content), 'height', 'width') or (0, 0)


def _verify(packed: PackedFolder) -> None:
    progress = _Progress('Compared', len(packed))
    for number in range(len(packed)):
        progress.add(len(packed.read(number)))


class _Progress:
    """A line in the log from time to time."""

    def __init__(self, done: str, total: int) -> None:
        self._verb, self._total = done, total
        self._skipped = self._done = self._bytes = 0
        self._begin = self._told = time.monotonic()

    def skip(self, files: int) -> None:
        """Count files that were done before."""
        self._skipped += files

    def add(self, size: int) -> None:
        """Count a file."""
        self._done += 1
        self._bytes += size
        now = time.monotonic()
        if now - self._told < _PATIENCE:
            return
        self._told = now
        seconds = now - self._begin
        left = self._total - self._skipped - self._done
        print_log(
            f'{self._verb} {self._skipped + self._done:,} of {self._total:,} '
            f'files, {self._done / seconds:.0f} files and '
            f'{self._bytes / 2**20 / seconds:.0f} MiB a second, '
            f'{left * seconds / self._done / 60:.0f} min left',
            logger='current',
        )
