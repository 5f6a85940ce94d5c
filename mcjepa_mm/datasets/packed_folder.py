"""Read folders that were packed into tar files, by sample number or name."""

import json
import os
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

HEADER = 'mcjepa_pack.json'
"""The file that makes a folder a packed one."""

FORMAT = 1
ROW = np.dtype(
    [
        ('shard', '<u4'),
        ('size', '<u4'),
        ('offset', '<u8'),
        ('crc32', '<u4'),
        ('name_end', '<u8'),  # in names.npy
    ]
)
CLIP = np.dtype(
    [
        ('first', '<u8'),
        ('is_video', '?'),
        ('height', '<u4'),  # of the first frame; 0 if it cannot be read
        ('width', '<u4'),
    ]
)
ARRAYS = ('rows', 'names', 'clips', 'lookup')
_MOST_OPEN = 64  # shards; a process may often open no more than 1024 files
_opened: dict[str, 'PackedFolder'] = {}


class PackedFolder:
    """Random access to the files of a packed folder.

    ``00000.tar`` ... hold the files in the order in which a search of the
    folder finds them. What is where is in four arrays that are mapped into
    memory: ``rows.npy`` (a :data:`ROW` for each file), ``names.npy`` (their
    names below the folder), ``clips.npy`` (a :data:`CLIP` for each folder of
    images and each video) and ``lookup.npy`` ((2, N) uint32: CRC-32 of the
    names, ascending, and the files' numbers).

    Args:
        root (str): The folder.

    Attributes:
        num_shards (int): Number of tar files.

    Raises:
        FileNotFoundError: If a shard or an array is missing.
        ValueError: If packing has not been finished, or if an array has
            changed since, or the size of a shard.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._files: dict[int, int] = {}
        header = read_header(root)
        if 'shards' not in header:
            raise ValueError(
                f'{root} is packed in part: run the same `pack` again, which '
                'goes on where it was stopped'
            )
        if header['format'] != FORMAT:
            raise ValueError(
                f'{root} is packed in format {header["format"]}, expected '
                f'{FORMAT}: read it with the version that wrote it, or pack '
                'the source anew'
            )
        self.num_shards = len(header['shards'])
        for number, size in enumerate(header['shards']):
            _check_file(shard_path(root, number), size)
        arrays = []
        for name in ARRAYS:
            path = os.path.join(root, f'{name}.npy')
            _check_file(path, *header['arrays'][name])
            # without the class memmap, whose items take longer
            arrays.append(np.load(path, mmap_mode='r').view(np.ndarray))
        self._rows, self._names, self._clips, self._lookup = arrays

    def __len__(self) -> int:
        return len(self._rows)

    def __reduce__(self) -> tuple:
        return open_packed, (self.root,)

    def __del__(self) -> None:
        for file in self._files.values():
            os.close(file)

    def name(self, number: int) -> str:
        """Name of a file below the folder."""
        begin = int(self._rows[number - 1]['name_end']) if number else 0
        end = int(self._rows[number]['name_end'])
        return os.fsdecode(self._names[begin:end].tobytes())

    def path(self, number: int) -> str:
        """Path by which a file is known, in the folder's place."""
        return os.path.join(self.root, self.name(number))

    def size(self, number: int) -> int:
        """Bytes of a file."""
        return int(self._rows[number]['size'])

    def find(self, name: str) -> int:
        """Number of a file.

        Raises:
            FileNotFoundError: If there is none of this name.
        """
        key = name_key(name)
        first, last = (
            int(self._lookup[0].searchsorted(key, side))
            for side in ('left', 'right')
        )
        for number in self._lookup[1, first:last].tolist():
            if self.name(number) == name:
                return number
        raise FileNotFoundError(f'{self.root} holds no {name!r}')

    def read(self, number: int) -> bytes:
        """Content of a file.

        Raises:
            ValueError: If it is not what was packed.
        """
        shard, size, offset, crc32, _ = self._rows[number].item()
        content = os.pread(self._open(shard), size, offset)
        if len(content) != size or zlib.crc32(content) != crc32:
            raise ValueError(
                f'{shard_path(self.root, shard)} has changed since it was '
                f'packed, in bytes {offset} to {offset + size}: copy it '
                'again, or pack the source anew'
            )
        return content

    def images(self) -> range | np.ndarray:
        """Numbers of the files that are no frame of a video."""
        is_video = self._clips['is_video']
        if not is_video.any():
            return range(len(self))
        counts = np.diff(self._clips['first'].astype(int), append=len(self))
        return np.flatnonzero(np.repeat(~is_video, counts))

    def walk(self, recursive: bool) -> Iterator[tuple[str, 'PackedNames']]:
        """Folders of images, and videos as such, with their names.

        In the order of :func:`~mcjepa_mm.datasets.clips.walk`.
        """
        ends = [*self._clips['first'][1:].tolist(), len(self)]
        for clip, end in zip(self._clips.tolist(), ends):
            names = PackedNames(self, end, *clip)
            folder = os.path.dirname(self.name(names.first))
            above = os.path.dirname(folder) if names.is_video else folder
            if recursive or not above:
                yield os.path.join(self.root, folder).rstrip(os.sep), names

    def _open(self, shard: int) -> int:
        if shard not in self._files:
            if len(self._files) == _MOST_OPEN:
                os.close(self._files.pop(next(iter(self._files))))
            path = shard_path(self.root, shard)
            self._files[shard] = os.open(path, os.O_RDONLY)
        return self._files[shard]


class PackedNames(Sequence):
    """File names of a packed folder of images, or of a video's frames.

    Attributes:
        is_video (bool): Whether they are of a video.
        shape (tuple[int, int], optional): Height and width of the first one,
            if it can be read.
    """

    __slots__ = ('end', 'first', 'is_video', 'packed', 'shape')

    def __init__(
        self,
        packed: PackedFolder,
        end: int,
        first: int,
        is_video: bool,
        height: int,
        width: int,
    ) -> None:
        self.packed = packed
        self.first = first
        self.end = end
        self.is_video = is_video
        self.shape = (height, width) if height else None

    def __len__(self) -> int:
        return self.end - self.first

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(index)
        return os.path.basename(self.packed.name(self.first + index))


class PackedImages(Sequence):
    """The images of a packed folder, as an OpenMMLab data set lists them."""

    def __init__(self, packed: PackedFolder) -> None:
        self.packed = packed
        self.numbers = packed.images()

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index):
        return dict(img_path=self.packed.path(self.numbers[index]))


def is_packed(folder: str) -> bool:
    """Whether a folder is a packed one, finished or not."""
    return os.path.isfile(os.path.join(folder, HEADER))


def open_packed(folder: str) -> PackedFolder:
    """Open a packed folder; reads of its files by path then go there."""
    folder = folder.rstrip(os.sep)
    _opened[folder] = PackedFolder(folder)
    return _opened[folder]


def read_packed(path: str) -> bytes | None:
    """Content of a file by its path, None if it is in no packed folder.

    Raises:
        FileNotFoundError: If the packed folder that it would be in does not
            hold it.
        ValueError: If it is not what was packed.
    """
    found = _find_packed(path)
    return found and found[0].read(found[1])


def file_size(path: str) -> int:
    """Bytes of a file, packed or not; -1 if there is none."""
    if found := _find_packed(path):
        packed, number = found
        return packed.size(number)
    return os.path.getsize(path) if os.path.exists(path) else -1


def _find_packed(path: str) -> tuple[PackedFolder, int] | None:
    above = list(_folders_above(path))
    root = next((x for x in above if x in _opened), None)
    if root is None and not os.path.exists(path):
        # in a process that did not open it
        root = next((x for x in above if is_packed(x)), None)
    if root is None:
        return None
    packed = _opened.get(root) or open_packed(root)
    return packed, packed.find(path[len(root) :].lstrip(os.sep))


def read_header(root: str) -> dict:
    """What a packed folder's header says.

    Raises:
        ValueError: If it says nothing.
    """
    path = os.path.join(root, HEADER)
    try:
        with open(path, encoding='utf-8') as file:
            return dict(json.load(file))
    except ValueError as error:
        raise ValueError(
            f'{path} is damaged ({error}): copy it again, or pack the source '
            'anew'
        ) from error


def shard_path(root: str, number: int) -> str:
    """Path of a shard."""
    return os.path.join(root, f'{number:05d}.tar')


def name_key(name: str | bytes) -> np.uint32:
    """What a name is looked up by."""
    return np.uint32(zlib.crc32(os.fsencode(name)))


def _folders_above(path: str) -> Iterator[str]:
    folder = os.path.dirname(path)
    while folder and folder != path:
        yield folder
        path, folder = folder, os.path.dirname(folder)


def _check_file(path: str, size: int, crc32: int | None = None) -> None:
    advice = 'copy it again, or pack the source anew'
    try:
        there = os.path.getsize(path)
    except FileNotFoundError:
        raise FileNotFoundError(
            f'{path} is missing, a part of a packed folder: {advice}'
        ) from None
    found = 0
    if crc32 is not None and there == size:
        with open(path, 'rb') as file:
            while block := file.read(2**20):
                found = zlib.crc32(block, found)
    if there != size or (crc32 is not None and found != crc32):
        raise ValueError(
            f'{path} has changed since it was packed ({there} bytes, expected '
            f'{size}): {advice}'
        )
