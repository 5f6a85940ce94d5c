import itertools
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mmengine.dataset import BaseDataset

from mcjepa_mm.datasets.clips import Clip
from mcjepa_mm.datasets.transforms.video_frames import (
    LoadObjectMask,
    LoadVideoFrame,
)

_HINT = 'copy or unpack the sequence anew'


class MaskedSequence(NamedTuple):
    """A clip and the masks of its objects.

    Attributes:
        name (str): Its name, and the folder of its results.
        clip (Clip): Its frames.
        masks (Mapping[int, str]): Mask files by the number of the frame.
        starts (Mapping[int, tuple[int, ...]], optional): Numbers of the
            objects that begin in a frame, by its number, where they do not
            all begin in the first one.
    """

    name: str
    clip: Clip
    masks: Mapping[int, str]
    starts: Mapping[int, tuple[int, ...]] | None = None

    def every(self, step: int, max_frames: int | None) -> 'MaskedSequence':
        """Subsample every ``step``-th frame, at most ``max_frames``."""
        frames = self.clip.frames
        kept = list(frames)[::step][:max_frames]
        if isinstance(frames, range):
            frames = frames[::step][:max_frames]
        else:
            frames = {number: frames[number] for number in kept}
        masks = {n: self.masks[n] for n in kept if n in self.masks}
        starts = self.starts
        if starts is not None:
            starts = {n: starts[n] for n in kept if n in starts}
        clip = Clip(self.clip.path, frames)
        return MaskedSequence(self.name, clip, masks, starts)

    def entries(self) -> Iterator[dict]:
        """Annotations of the frames, in temporal order."""
        frames = self.clip.frames
        for index, number in enumerate(frames):
            [path] = self.clip.files([number])
            entry = dict(
                sequence=self.name,
                frame_index=index,
                num_frames=len(frames),
                img_path=path,
            )
            if isinstance(frames, range):
                entry.update(video_frame=number, frame_name=f'{number:05d}')
            else:
                entry.update(frame_name=Path(path).stem)
            if number in self.masks:
                entry.update(mask_path=self.masks[number])
            if self.starts is not None:
                entry.update(new_objects=self.starts.get(number, ()))
            yield entry


class VideoSegmentation(BaseDataset):
    """Frames of videos with object masks of the first frame.

    A sample is a frame. Frames are in the order of time, one sequence after
    the other, so that a model may carry what it knows from one to the next:
    read them with a
    :class:`~mcjepa_mm.datasets.samplers.SequenceSampler` and one frame a
    batch.

    Entries have ``sequence``, ``frame_index`` (from 0), ``num_frames``,
    ``frame_name`` (what a file of results is called), ``img_path``,
    ``sequence_shape`` ((H, W) of the first frame), with a video
    ``video_frame``, and where there is a mask ``mask_path``.

    A file that is missing is an error when the files are listed, and so is
    what is wrong with a sequence's first frame or mask, which are read then;
    later ones fail when they are loaded. No frame is replaced by another: a
    BadSampleGuard has no place here.

    Args:
        data_root (str): Folder that file names are relative to.
        pipeline (Sequence[dict | callable]): Transforms of a frame.
        lazy_init (bool): Whether to list the files later, when they are
            needed. Defaults to False.
        step (int): Take each ``step``-th frame of a sequence. Defaults to 1.
        max_frames (int, optional): Most frames that are taken of a sequence,
            from the first on. Defaults to all.

    Raises:
        BadSampleError: If a first frame or its mask cannot be used.
        FileNotFoundError: If a frame is missing, or the mask of a first one,
            or of any other if others have one.
        ValueError: If there is no sequence or no frame, two sequences have
            one name, or ``step`` or ``max_frames`` is not positive.
    """

    #: What every entry has beside the above, for the transforms.
    EXTRA: Mapping[str, object] = {}

    #: Whether a gap in the numbers of a sequence's frames is an error.
    EVENLY_SPACED = True

    def __init__(
        self,
        data_root: str = '',
        *,
        pipeline: Sequence = (),
        lazy_init: bool = False,
        step: int = 1,
        max_frames: int | None = None,
    ) -> None:
        for name, value in (('step', step), ('max_frames', max_frames)):
            if value is not None and value < 1:
                raise ValueError(f'{name} must be at least 1, got {value}')
        self.step = step
        self.max_frames = max_frames
        self._lengths: list[int] = []
        super().__init__(
            data_root=os.path.expanduser(data_root),
            pipeline=list(pipeline),
            test_mode=True,
            lazy_init=lazy_init,
        )

    def list_sequences(self) -> list[MaskedSequence]:
        """The sequences, in order."""
        raise NotImplementedError

    @property
    def sequences(self) -> list[range]:
        """The frames of each sequence, as indices of this data set."""
        self.full_init()
        ends = itertools.accumulate(self._lengths)
        return [range(end - n, end) for end, n in zip(ends, self._lengths)]

    def load_data_list(self) -> list[dict]:
        sequences = self.list_sequences()
        if not sequences:
            raise ValueError(f'{type(self).__name__} has no sequence')
        names = Counter(sequence.name for sequence in sequences)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise ValueError(
                f'{type(self).__name__} has more than one sequence of the '
                f'name(s) {twice}; give each its own'
            )
        annotated = any(len(sequence.masks) > 1 for sequence in sequences)
        for sequence in sequences:
            _check_files(sequence, annotated)
            if self.EVENLY_SPACED:
                _check_numbers(sequence.clip)
        sequences = [x.every(self.step, self.max_frames) for x in sequences]
        entries = []
        for sequence in sequences:
            frames = [dict(x, **self.EXTRA) for x in sequence.entries()]
            first = LoadVideoFrame()(dict(frames[0]))
            LoadObjectMask()(first)
            shape = first['ori_shape']
            entries += [dict(f, sequence_shape=shape) for f in frames]
        self._lengths = [len(sequence.clip.frames) for sequence in sequences]
        return entries


def _check_files(sequence: MaskedSequence, annotated: bool) -> None:
    """Refuse a sequence that lacks frames or masks."""
    name, clip, masks, starts = sequence
    if not clip.frames:
        raise ValueError(f'{clip.path}: sequence {name!r} has no frame')
    for number, path in masks.items():
        if number not in clip.frames:
            raise FileNotFoundError(
                f'{clip.path} has no frame {Path(path).stem}, but there is '
                f'its mask, {path}; {_HINT}'
            )
    numbers = list(clip.frames)
    for number in starts or (numbers if annotated else numbers[:1]):
        if number not in masks:
            [frame] = clip.files([number])
            if starts:
                why = f'in which object(s) {list(starts[number])} begin'
            elif number == numbers[0]:
                why = 'its first frame'
            else:
                why = 'but other frames have'
            raise FileNotFoundError(
                f'sequence {name!r} has no mask of {frame}, {why}; {_HINT}'
            )


def _check_numbers(clip: Clip) -> None:
    """Refuse frames whose numbers have a gap."""
    steps = [after - n for n, after in itertools.pairwise(clip.frames)]
    usual = min(steps, default=1)
    if any(step % usual for step in steps):
        return  # times, or names without a system
    for number, step in zip(clip.frames, steps):
        if step != usual:
            before, after = clip.files([number, number + step])
            raise FileNotFoundError(
                f'a frame is missing between {before} and {after}: elsewhere '
                f'the numbers of frames are {usual} apart; {_HINT}'
            )
