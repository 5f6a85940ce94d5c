import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mcjepa_mm.datasets.clips import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    Clip,
    find_images,
)
from mcjepa_mm.datasets.video_decoding import index_video
from mcjepa_mm.registry import DATASETS

from .video_search import find_masked_videos
from .video_segmentation import MaskedSequence, VideoSegmentation


@DATASETS.register_module()
class MaskedVideos(VideoSegmentation):
    """Any videos, or folders of frames, with a mask of the first frame.

    In and below ``data_root`` a mask belongs to the video, or to the folder
    of frames, that lies beside it and has its name::

        data_root/
            dog.mp4         dog.png
            cat/00000.jpg   cat/00001.jpg ...   cat.png
            bird/film.avi   bird/first.png

    A video and a picture that are alone with each other belong together
    whatever they are called, as in ``bird``. Frames are in the order of the
    numbers at the end of their names, or, where not all have one, in natural
    order.

    Args:
        data_root (str): Folder to search, or what ``videos`` are relative to.
        videos (Mapping[str, tuple[str, str]], optional): Video, or folder of
            frames, and mask by the name of the sequence, instead of a search.
        **kwargs: See :class:`VideoSegmentation`.

    Raises:
        BadSampleError: As :class:`VideoSegmentation`, or if a video cannot be
            opened or decoded.
        FileNotFoundError: As :class:`VideoSegmentation`, or if a video or a
            mask is missing.
        ValueError: If there is neither ``data_root`` nor ``videos``, or
            nothing is found.
    """

    METAINFO = dict(
        dataset_type='masked_videos', task_name='video_segmentation'
    )

    def __init__(
        self,
        data_root: str = '',
        *,
        videos: Mapping[str, Sequence[str]] | None = None,
        **kwargs,
    ) -> None:
        if not data_root and videos is None:
            raise ValueError(
                'MaskedVideos needs `data_root`, a folder with videos and '
                "masks, or `videos`, such as dict(dog=('dog.mp4', 'dog.png'))"
            )
        self._videos = videos
        super().__init__(data_root, **kwargs)

    def list_sequences(self) -> list[MaskedSequence]:
        if self._videos is None:
            videos = find_masked_videos(self.data_root)
        else:
            videos = {
                name: (self._join(video), self._join(mask))
                for name, (video, mask) in self._videos.items()
            }
        return [
            _open(name, video, mask) for name, (video, mask) in videos.items()
        ]

    def _join(self, path: str) -> str:
        return os.path.join(self.data_root, os.path.expanduser(path))


def _open(name: str, video: str, mask: str) -> MaskedSequence:
    for path, what in ((video, 'the video'), (mask, 'the first mask')):
        if not os.path.exists(path):
            raise FileNotFoundError(
                f'{path}, {what} of {name!r}, does not exist'
            )
    clip = _folder(video) if os.path.isdir(video) else _video(video)
    return MaskedSequence(name, clip, {next(iter(clip.frames)): mask})


def _video(path: str) -> Clip:
    index = index_video(path)
    # A figure over fewer frames than there should be would be wrong: those
    # that a truncated video has lost are asked for, and the file is named.
    return Clip(path, range(index.count + index.missing))


def _folder(path: str) -> Clip:
    """The pictures of a folder, by their numbers where all have one."""
    names = list(map(os.path.basename, find_images(path, recursive=False)))
    if not names:
        raise FileNotFoundError(
            f'{path} holds no frame: expected pictures ({IMAGE_SUFFIXES}), or '
            f'a video ({VIDEO_SUFFIXES}) in the place of the folder'
        )
    stems = [Path(name).stem for name in names]
    parts = [re.fullmatch(r'(.*?)(\d+)', stem) for stem in stems]
    found = [part for part in parts if part]
    numbered = found == parts and len({part[1] for part in found}) == 1
    places = [int(part[2]) for part in found]
    keys: Sequence = places if numbered else stems
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise ValueError(
            f'{path} holds more than one picture of frame(s) {twice[:5]}: '
            'expected one each; move away what is no frame'
        )
    if numbered:
        return Clip(path, dict(sorted(zip(places, names))))
    return Clip(path, dict(enumerate(names)))
