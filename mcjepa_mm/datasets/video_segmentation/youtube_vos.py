import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcjepa_mm.datasets.archive import Archive, numbers
from mcjepa_mm.datasets.clips import Clip
from mcjepa_mm.registry import DATASETS

from .video_segmentation import MaskedSequence, VideoSegmentation


@DATASETS.register_module()
class YouTubeVOS(Archive, VideoSegmentation):
    """YouTube-VOS: clips whose objects do not all begin in the first frame.

    ``meta.json`` tells in which frames an object is. In the first of them its
    mask is given, and what the same file of masks holds of other objects is
    not used. A sequence begins with the frame in which its first object does.

    Entries have, beside those of :class:`VideoSegmentation`, ``new_objects``:
    the numbers of the objects that begin in this frame.

    The split 'train' has masks of all frames, which a metric may take; those
    of 'valid' and 'test' are of the frames in which an object begins.

    Args:
        data_root (str): Folder that holds the folders of the splits.
        split (str): Folder with ``JPEGImages``, ``Annotations`` and
            ``meta.json``: 'train', 'valid', 'test' or one's own. Defaults to
            'valid'.
        sequences (str | Sequence[str], optional): Names of sequences of the
            split. Defaults to all.
        **kwargs: See :class:`VideoSegmentation`; ``step`` is 1, because
            others leave out the frames in which objects begin.

    Raises:
        BadSampleError: As :class:`VideoSegmentation`, or, when a mask is
            loaded, if an object is not in the mask of its first frame.
        FileNotFoundError: As :class:`VideoSegmentation`, or if a folder,
            ``meta.json``, a frame that it names, or the mask of a frame in
            which an object begins is missing.
        ValueError: If ``meta.json`` is of another form, has not a sequence
            that is asked for, or ``step`` is not 1.
    """

    METAINFO = dict(dataset_type='youtube_vos', task_name='video_segmentation')

    EXPECTED = (
        'Unpack the archive of the split (from '
        'https://youtube-vos.org/dataset/vos/), and set `data_root` to the '
        'folder that holds it: `valid/JPEGImages`, `valid/Annotations` and '
        '`valid/meta.json`.'
    )

    # meta.json tells which frames there have to be
    EVENLY_SPACED = False

    def __init__(
        self,
        data_root: str,
        *,
        split: str = 'valid',
        sequences: str | Sequence[str] | None = None,
        **kwargs,
    ) -> None:
        if kwargs.get('step', 1) != 1:
            raise ValueError(
                f'step={kwargs["step"]} leaves out frames in which objects '
                'begin; YouTubeVOS takes step=1, and max_frames'
            )
        self.split = split
        self._chosen = [sequences] if isinstance(sequences, str) else sequences
        super().__init__(data_root, **kwargs)

    def list_sequences(self) -> list[MaskedSequence]:
        for part in ('JPEGImages', 'Annotations'):
            self.folder(self.split, part)
        path = Path(self.data_root, self.split, 'meta.json')
        if not path.is_file():
            raise FileNotFoundError(
                f'{path} is no file: YouTubeVOS is not complete in '
                f'{self.data_root}. {self.EXPECTED}'
            )
        starts = _read_meta(path)
        missing = sorted(set(self._chosen or ()) - set(starts))
        if missing:
            raise ValueError(f'{path} has no sequence {missing}')
        names = starts if self._chosen is None else self._chosen
        return [self._sequence(name, starts[name]) for name in sorted(names)]

    def _sequence(
        self, name: str, objects: dict[int, list[int]]
    ) -> MaskedSequence:
        """Join the frames, the masks and the beginnings of the objects."""
        images = self.folder(self.split, 'JPEGImages', name)
        folder = self.folder(self.split, 'Annotations', name)
        found = {int(n): f'{n}.jpg' for n in numbers(images, r'(\d+)\.jpg')}
        starts: dict[int, tuple[int, ...]] = defaultdict(tuple)
        for number, frames in sorted(objects.items()):
            for frame in frames:
                if frame not in found:
                    raise FileNotFoundError(
                        f'{images} has no frame {frame:05d}.jpg, in which '
                        f'meta.json has object {number}. {self.EXPECTED}'
                    )
            starts[min(frames)] += (number,)
        first = min(starts)
        return MaskedSequence(
            name,
            Clip(str(images), {n: x for n, x in found.items() if n >= first}),
            {
                int(n): str(folder / f'{n}.png')
                for n in numbers(folder, r'(\d+)\.png')
                if int(n) >= first
            },
            dict(starts),
        )


def _read_meta(path: Path) -> dict[str, dict[int, list[int]]]:
    """Frames of each object, by the sequence and the object's number."""
    expected = (
        'expected {"videos": {NAME: {"objects": {"1": {"frames": ["00000", '
        '...]}}}}}'
    )
    try:
        content: Any = json.loads(path.read_text())
        found = {
            name: {
                int(number): [int(frame) for frame in entry['frames']]
                for number, entry in video['objects'].items()
            }
            for name, video in content['videos'].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{path} is not as YouTube-VOS has it ({error!r}); {expected}'
        ) from error
    for name, objects in found.items():
        frames = [*objects.values()]
        if not objects or not all(frames):
            raise ValueError(
                f'{path}: {name!r} has no object, or one without a frame; '
                f'{expected}'
            )
    return found
