from collections.abc import Sequence
from pathlib import Path

from mcjepa_mm.datasets.archive import Archive, numbers, subfolders
from mcjepa_mm.datasets.clips import Clip
from mcjepa_mm.registry import DATASETS

from .video_segmentation import MaskedSequence, VideoSegmentation


@DATASETS.register_module()
class DAVIS2017(Archive, VideoSegmentation):
    """DAVIS 2017: clips with masks of several objects.

    Without a ``split`` any folder of this layout can be read, such as that of
    DAVIS 2016, and without a ``resolution`` one that has the folders of the
    sequences right in ``JPEGImages`` and ``Annotations``.

    Args:
        data_root (str): Folder that holds ``JPEGImages``, ``Annotations``
            and ``ImageSets``.
        split (str, optional): A list of ``ImageSets/2017``: 'train', 'val',
            'test-dev' (masks of the first frames only) or one's own. None for
            every sequence in ``JPEGImages``, by name. Defaults to 'val'.
        resolution (str, optional): '480p' or 'Full-Resolution', the folder
            that sequences are in; None for none. Defaults to '480p'.
        sequences (str | Sequence[str], optional): Names of sequences of the
            split. Defaults to all.
        **kwargs: See :class:`VideoSegmentation`.

    Raises:
        BadSampleError: As :class:`VideoSegmentation`.
        FileNotFoundError: As :class:`VideoSegmentation`, or if a folder of
            the layout or the split's list is missing.
        ValueError: If the list or the folder has no sequence, or not one that
            is asked for.
    """

    METAINFO = dict(dataset_type='davis2017', task_name='video_segmentation')

    RESOLUTIONS: tuple[str, ...] = ('480p', 'Full-Resolution')

    EXPECTED = (
        'Unpack DAVIS-2017-trainval-480p.zip, or the archive of another split '
        'or resolution (from https://davischallenge.org/davis2017/code.html), '
        'and set `data_root` to its folder `DAVIS`, which holds `JPEGImages`, '
        '`Annotations` and `ImageSets`.'
    )

    def __init__(
        self,
        data_root: str,
        *,
        split: str | None = 'val',
        resolution: str | None = '480p',
        sequences: str | Sequence[str] | None = None,
        **kwargs,
    ) -> None:
        if resolution not in (None, *self.RESOLUTIONS):
            raise ValueError(
                f'resolution must be one of {self.RESOLUTIONS} or None, got '
                f'{resolution!r}'
            )
        self.split = split
        self.resolution = resolution
        self._below = () if resolution is None else (resolution,)
        self._chosen = [sequences] if isinstance(sequences, str) else sequences
        super().__init__(data_root, **kwargs)

    def list_sequences(self) -> list[MaskedSequence]:
        for part in ('JPEGImages', 'Annotations'):
            self.folder(part, *self._below)
        return [self._sequence(name) for name in self._names()]

    def _names(self) -> list[str]:
        place, names = self._listed()
        if not names:
            raise ValueError(f'{place} names no sequence. {self.EXPECTED}')
        if self._chosen is None:
            return names
        missing = sorted(set(self._chosen) - set(names))
        if missing:
            raise ValueError(f'{place} has no sequence {missing}, but {names}')
        return [name for name in names if name in self._chosen]

    def _listed(self) -> tuple[Path, list[str]]:
        """Names of all sequences, and their source."""
        if self.split is None:
            folder = self.folder('JPEGImages', *self._below)
            return folder, subfolders(folder)
        return self.read_list()

    def read_list(self) -> tuple[Path, list[str]]:
        """Return the list of the split, and its sequences."""
        lists = self.folder('ImageSets', '2017')
        path = lists / f'{self.split}.txt'
        if not path.is_file():
            splits = sorted(file.stem for file in lists.glob('*.txt'))
            raise FileNotFoundError(
                f'{path} is no file; the splits in {lists} are {splits}. '
                f'{self.EXPECTED}'
            )
        return path, path.read_text().split()

    def _sequence(self, name: str) -> MaskedSequence:
        frames = self.folder('JPEGImages', *self._below, name)
        masks = self.folder('Annotations', *self._below, name)
        return MaskedSequence(
            name,
            Clip(str(frames), _by_number(frames, 'jpg')),
            {n: str(masks / x) for n, x in _by_number(masks, 'png').items()},
        )


def _by_number(folder: Path, suffix: str) -> dict[int, str]:
    """Names of the files whose stem is a number."""
    found = numbers(folder, rf'(\d+)\.{suffix}')
    return {int(number): f'{number}.{suffix}' for number in found}


@DATASETS.register_module()
class DAVIS2016(DAVIS2017):
    """DAVIS 2016: clips with the mask of one object.

    Reads its own archive, whose masks are 0 and 255, and the archive of
    DAVIS 2017, which has the same clips with the parts of the object numbered
    one by one: all that is marked is one object here.

    Args:
        data_root (str): Folder that holds ``JPEGImages`` and ``Annotations``.
        split (str, optional): 'train', 'val', 'trainval' or one's own: a list
            in ``ImageSets/2016`` with a name a line (the archive of 2017), or
            in ``ImageSets/480p`` or ``ImageSets/1080p`` with a frame and its
            mask a line (that of 2016). None takes every folder of frames,
            without a list. Defaults to 'val'.
        resolution (str, optional): '480p', '1080p', 'Full-Resolution', or
            None where the folders of frames are in ``JPEGImages`` itself.
            Defaults to '480p'.
        **kwargs: See :class:`DAVIS2017`.

    Raises:
        BadSampleError, FileNotFoundError, ValueError: As :class:`DAVIS2017`.
    """

    METAINFO = dict(dataset_type='davis2016', task_name='video_segmentation')

    RESOLUTIONS = ('480p', '1080p', 'Full-Resolution')

    EXTRA = dict(one_object=True)

    EXPECTED = (
        'Unpack DAVIS-data.zip of 2016, or DAVIS-2017-trainval-480p.zip (from '
        'https://davischallenge.org/davis2016/code.html and .../davis2017/), '
        'and set `data_root` to its folder `DAVIS`, which holds `JPEGImages`, '
        '`Annotations` and `ImageSets`; or set split=None to take every '
        'folder of frames without a list.'
    )

    def read_list(self) -> tuple[Path, list[str]]:
        lists = self.folder('ImageSets')
        own = ('1080p', '480p') if self.resolution == '1080p' else ('480p',)
        tried = [lists / x / f'{self.split}.txt' for x in ('2016', *own)]
        for path in tried:
            if path.is_file():
                return path, _sequences(path)
        raise FileNotFoundError(
            f'none of {", ".join(map(str, tried))} is a file. {self.EXPECTED}'
        )


def _sequences(path: Path) -> list[str]:
    """Names of a list's sequences, each once: 'cow', '/JPEG.../cow/0.jpg'."""
    words = (line.split() for line in path.read_text().splitlines())
    frames = [Path(line[0]) for line in words if line]
    return list(
        dict.fromkeys(
            frame.parent.name if frame.suffix else frame.name
            for frame in frames
        )
    )
