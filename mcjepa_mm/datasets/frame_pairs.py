"""Frame pairs from any folder of videos or of frames, without labels."""

import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from mmengine.dataset import Compose
from mmengine.logging import print_log
from PIL import Image
from torch.utils.data import Dataset

from mcjepa_mm.datasets.bad_samples import BadSampleError
from mcjepa_mm.datasets.transforms.image_loading import read_image
from mcjepa_mm.datasets.video_file import VideoCache, VideoFile
from mcjepa_mm.registry import DATASETS, TRANSFORMS

IMAGE_SUFFIXES = '.bmp .gif .jpeg .jpg .pgm .png .ppm .tif .tiff .webp'
VIDEO_SUFFIXES = '.avi .m4v .mkv .mov .mp4 .mpeg .mpg .webm .wmv'


class Clip(NamedTuple):
    """One video, or one folder of frames.

    Attributes:
        path (str): The video or the folder.
        length (int): Number of frames.
        frames (tuple[str, ...]): File names in a folder, none for a video.
    """

    path: str
    length: int
    frames: tuple[str, ...] = ()


@DATASETS.register_module()
class FramePairs(Dataset):
    """Pairs of frames, a fixed number of frames apart.

    Below ``data_root``, at any depth, every video is a clip, and so are the
    images of every folder, in natural order (``f2.png`` before ``f10.png``).
    A pair never joins two clips. Videos are opened to learn their length, and
    of each folder one image's header is read; nothing else is decoded before
    it is asked for.

    Random access to a video decodes from its last key frame. Where that is
    slower than the training step, extract the frames once.

    A pipeline's transforms get ``img`` (a list of two (H, W, 3) uint8 arrays,
    RGB), ``img_path`` (two image files, or the video), ``frame_indices``,
    ``ori_shape``, ``img_shape`` and ``sample_idx``; it ends with PackViews.

    Args:
        data_root (str): Folder with videos or folders of frames.
        pipeline (Sequence[dict | callable]): Transforms of the pair.
        frame_gap (int): Distance of the two frames. Defaults to 1.
        recursive (bool): Whether to look into sub-folders. Defaults to True.
        min_size (int): Shortest side that a frame may have; below the
            encoder's largest stride, 64, its last level has no pixel.
            Defaults to 64.
        max_open_videos (int): Videos kept open in a process. Defaults to 8.

    Attributes:
        clips (list[Clip]): What was found and can be used.
        short_files (list[str]): Videos and folders with too few frames.
        broken_files (list[str]): Videos that cannot be opened.

    Raises:
        FileNotFoundError: If ``data_root`` is missing.
        ValueError: If it holds no pair, or frames below ``min_size``.
    """

    def __init__(
        self,
        data_root: str,
        *,
        pipeline: Sequence = (),
        frame_gap: int = 1,
        recursive: bool = True,
        min_size: int = 64,
        max_open_videos: int = 8,
    ) -> None:
        if frame_gap < 1:
            raise ValueError(f'frame_gap must be at least 1, got {frame_gap}')
        self.data_root = os.path.expanduser(data_root)
        self.frame_gap = frame_gap
        self.min_size = min_size
        self.metainfo = dict(dataset_type='frame_pairs', task_name='motion')
        self.pipeline = Compose([TRANSFORMS.build(t) for t in pipeline])
        self._videos = VideoCache(max_open_videos)
        self.clips: list[Clip] = []
        self.short_files: list[str] = []
        self.broken_files: list[str] = []
        self._find_clips(recursive)
        pairs = [clip.length - frame_gap for clip in self.clips]
        # Index of the first pair after each clip.
        self._ends = np.cumsum(pairs)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> dict:
        """The pair ``index`` after the pipeline.

        Raises:
            BadSampleError: If a frame cannot be decoded, or if the two have
                different sizes.
            ValueError: If the frames are smaller than ``min_size``.
        """
        results = self.get_data_info(index)
        paths, numbers = results['img_path'], results['frame_indices']
        if len(paths) == 1:
            video = self._videos[paths[0]]
            frames = [video.read(number) for number in numbers]
        else:
            frames = [read_image(path, 'rgb') for path in paths]
        shape, other = (frame.shape[:2] for frame in frames)
        if shape != other:
            raise BadSampleError(
                f'{paths[-1]} is {other[0]} x {other[1]} pixels (height x '
                f'width), the frame before it, {paths[0]}, is {shape[0]} x '
                f'{shape[1]}; the frames of a pair must have one size',
                paths[-1],
            )
        self._check_size(paths[0], shape)
        results.update(img=frames, ori_shape=shape, img_shape=shape)
        return self.pipeline(results)

    def get_data_info(self, index: int) -> dict:
        """Where the pair ``index`` comes from, without loading it."""
        if not 0 <= index < len(self):
            raise IndexError(f'no pair {index} among {len(self)}')
        number = int(np.searchsorted(self._ends, index, side='right'))
        clip = self.clips[number]
        pairs = clip.length - self.frame_gap
        first = index - (int(self._ends[number]) - pairs)
        indices = first, first + self.frame_gap
        paths = [
            os.path.join(clip.path, clip.frames[i])
            for i in indices
            if clip.frames
        ]
        return dict(
            sample_idx=index,
            img_path=paths or [clip.path],
            frame_indices=indices,
        )

    def _find_clips(self, recursive: bool) -> None:
        if not os.path.isdir(self.data_root):
            raise FileNotFoundError(
                f'{self.data_root!r} is no folder. {self._expected()}'
            )
        for path, frames in _walk(self.data_root, recursive):
            try:
                length = len(frames) or self._inspect_video(path)
            except BadSampleError as error:
                self.broken_files.append(path)
                print_log(f'Not used: {error}', logger='current', level=30)
                continue
            if length <= self.frame_gap:
                self.short_files.append(path)
                print_log(
                    f'Not used: {path} has {length} frame(s); a pair with '
                    f'frame_gap={self.frame_gap} takes {self.frame_gap + 1}.',
                    logger='current',
                    level=30,
                )
                continue
            if frames:
                self._inspect_frame(os.path.join(path, frames[0]))
            self.clips.append(Clip(path, length, frames))
        if not self.clips:
            raise ValueError(
                f'{self.data_root!r} holds no frame pair: '
                f'{len(self.short_files)} videos or folders have too few '
                f'frames {self.short_files[:5]}, {len(self.broken_files)} '
                f'videos cannot be opened {self.broken_files[:5]}. '
                f'{self._expected()}'
            )

    def _expected(self) -> str:
        return (
            f'Expected a folder with videos ({VIDEO_SUFFIXES}) or with '
            f'folders of at least {self.frame_gap + 1} frames '
            f'({IMAGE_SUFFIXES}); set `data_root` to it.'
        )

    def _inspect_video(self, path: str) -> int:
        video = VideoFile(path)
        length = video.count()
        if length < 1:
            raise BadSampleError(f'{path} has no frame', path)
        self._check_size(path, video.size)
        return length

    def _inspect_frame(self, path: str) -> None:
        try:
            with Image.open(path) as image:
                width, height = image.size
        except OSError:
            return  # it is found bad, and counted, when it is loaded
        self._check_size(path, (height, width))

    def _check_size(self, path: str, shape: tuple[int, int]) -> None:
        if min(shape) < self.min_size:
            raise ValueError(
                f'{path}: frames are {shape[0]} x {shape[1]} pixels (height x '
                f'width), smaller than min_size={self.min_size}, the largest '
                'stride of the encoder. Remove the file; or, if the pipeline '
                'enlarges frames (ResizePair), set a smaller `min_size`.'
            )


def _walk(
    folder: str, recursive: bool, seen: frozenset = frozenset()
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Videos, (path, ()), and folders of frames, (folder, names), in order."""
    real = os.path.realpath(folder)
    if real in seen:
        return  # a link to a folder above
    with os.scandir(folder) as entries:
        entries = sorted(
            (e for e in entries if not e.name.startswith('.')),
            key=lambda entry: natural_key(entry.name),
        )
    names = [entry.name for entry in entries if entry.is_file()]
    frames = tuple(n for n in names if _has_suffix(n, IMAGE_SUFFIXES))
    if frames:
        yield folder, frames
    for name in names:
        if _has_suffix(name, VIDEO_SUFFIXES):
            yield os.path.join(folder, name), ()
    for entry in entries:
        if recursive and entry.is_dir():
            yield from _walk(entry.path, recursive, seen | {real})


def _has_suffix(name: str, suffixes: str) -> bool:
    return os.path.splitext(name)[1].lower() in suffixes.split()


def natural_key(name: str) -> list:
    """Sort key that compares numbers in a name by value: f2 before f10."""
    parts = re.split(r'(\d+)', name.lower())
    return [*(int(p) if p.isdigit() else p for p in parts), name]
