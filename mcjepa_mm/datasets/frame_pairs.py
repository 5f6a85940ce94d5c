"""Frame pairs from any folder of videos or of frames, without labels."""

import os
import time
from collections.abc import Iterator, Sequence

import numpy as np
from mmengine.dataset import Compose
from mmengine.logging import print_log
from torch.utils.data import Dataset

from mcjepa_mm.datasets.bad_samples import BadSampleError
from mcjepa_mm.datasets.clips import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    Clip,
    Consecutive,
    compile_frame_name,
    is_video,
    listing,
    match_folders,
    name_unused,
    split_folder,
    walk,
    warn,
)
from mcjepa_mm.datasets.image_integrity import image_header
from mcjepa_mm.datasets.transforms.image_loading import read_image
from mcjepa_mm.datasets.video_decoding import NoDecoderError, index_video
from mcjepa_mm.datasets.video_file import VideoCache
from mcjepa_mm.registry import DATASETS, TRANSFORMS
from mcjepa_mm.utils.random_state import derive_seed

_PATIENCE = 30
"""Seconds between two lines of the log while videos are listed."""


@DATASETS.register_module()
class FramePairs(Dataset):
    """Pairs of frames of a clip.

    Below ``data_root``, at any depth, every video is a clip, and so are the
    images of every folder, in natural order (``f2.png`` before ``f10.png``).
    A pair never joins two clips. An image that moves (GIF) is a video. Videos
    are read once to find their frames, which later starts remember, see
    :func:`~mcjepa_mm.datasets.video_decoding.index_video`, and of each folder
    one image's header; nothing else is decoded before it is asked for. In a
    packed folder, see :mod:`~mcjepa_mm.datasets.packing`, a video's frames
    are images.

    Public data sets of optical flow hold many clips in one folder, and
    folders that are no frames. ``folders`` says which are searched, and
    ``frame_name`` how a file's name tells its clip and its number; then two
    frames are a pair only if their numbers are ``frame_gap`` apart, so that
    frames which are missing, or left out, never join what does not follow.

    Random access to a video decodes from its last key frame. Where that is
    slower than the training step, let the sampler go on from a place
    (:class:`~mcjepa_mm.datasets.FixedLengthSampler`, ``pairs_per_seek``).

    A pipeline's transforms get ``img`` (a list of two (H, W, 3) uint8 arrays,
    RGB), ``img_path`` (two image files, or the video), ``frame_indices``
    (the numbers in the file names with ``frame_name``, else positions in the
    clip), ``ori_shape``, ``img_shape`` and ``sample_idx``; it ends with
    PackViews.

    Args:
        data_root (str): Folder with videos or folders of frames.
        pipeline (Sequence[dict | callable]): Transforms of the pair.
        frame_gap (int): Distance of the two frames. Defaults to 1.
        max_gap (int, optional): Largest distance. A pair's is then drawn from
            ``frame_gap`` to this, as far as its clip goes, by the pair's
            index: each time the same. Defaults to None: ``frame_gap``.
        folders (Sequence[str]): Glob patterns, relative to ``data_root``, of
            the folders that are searched in its place, such as
            ``'*/*/image_02'``. Each has to match. Defaults to ().
        frame_name (str, optional): Regular expression of a frame's whole file
            name, with the named groups ``number`` and, where a folder holds
            several clips, ``clip``. Images that do not match and videos are
            not used. Defaults to None.
        expects (str): What ``data_root`` should hold, for the error when it
            does not. Defaults to ''.
        recursive (bool): Whether to look into sub-folders. Defaults to True.
        min_size (int): Shortest side that a frame may have; below the
            encoder's largest stride, 64, its last level has no pixel.
            Defaults to 64.
        max_open_videos (int): Places in videos that a process keeps open, for
            ``pairs_per_seek`` at least the batch size. Defaults to 8.

    Attributes:
        clips (list[Clip]): What was found and can be used.
        short_files (list[str]): Videos and folders without a pair; of a
            folder with several clips, such a clip's first frame.
        broken_files (list[str]): Videos that cannot be opened.
        truncated_files (list[str]): Videos with fewer frames than their
            header says, which are used.
        undecodable_files (list[str]): Videos whose codec nothing here
            decodes.

    Raises:
        FileNotFoundError: If ``data_root`` or one of ``folders`` is missing.
        ValueError: If it holds no pair, or frames below ``min_size``, or if
            ``frame_name`` cannot be used.
    """

    def __init__(
        self,
        data_root: str,
        *,
        pipeline: Sequence = (),
        frame_gap: int = 1,
        max_gap: int | None = None,
        folders: Sequence[str] = (),
        frame_name: str | None = None,
        expects: str = '',
        recursive: bool = True,
        min_size: int = 64,
        max_open_videos: int = 8,
    ) -> None:
        if frame_gap < 1:
            raise ValueError(f'frame_gap must be at least 1, got {frame_gap}')
        if max_gap is not None and max_gap < frame_gap:
            raise ValueError(
                f'max_gap must be at least frame_gap={frame_gap}, got '
                f'{max_gap}'
            )
        if isinstance(folders, str):
            raise TypeError(f'folders must be a list, got {folders!r}')
        self.data_root = os.path.expanduser(data_root)
        self.frame_gap = frame_gap
        self.max_gap = frame_gap if max_gap is None else max_gap
        self.folders = tuple(folders)
        self.frame_name = frame_name and compile_frame_name(frame_name)
        self.expects = expects
        self.min_size = min_size
        self.metainfo = dict(dataset_type='frame_pairs', task_name='motion')
        self.pipeline = Compose([TRANSFORMS.build(t) for t in pipeline])
        self._videos = VideoCache(max_open_videos)
        self.clips: list[Clip] = []
        self.short_files: list[str] = []
        self.broken_files: list[str] = []
        self.truncated_files: list[str] = []
        self.undecodable_files: list[str] = []
        self._find_clips(recursive)
        self._firsts = [self._firsts_of(clip) for clip in self.clips]
        # Index of the first pair after each clip.
        self._ends = np.cumsum([len(firsts) for firsts in self._firsts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> dict:
        """Return the pair ``index`` after the pipeline.

        Raises:
            BadSampleError: If a frame cannot be decoded, or if the two have
                different sizes.
            ValueError: If the frames are smaller than ``min_size``.
        """
        results = self.get_data_info(index)
        paths, numbers = results['img_path'], results['frame_indices']
        if len(paths) == 1:
            video = self._videos.at(paths[0], numbers[0])
            frames = [video.read(number) for number in numbers]
        else:
            frames = [read_image(path, 'rgb') for path in paths]
        shape = frames[0].shape[:2]
        for path, frame in zip(paths, frames):
            other = frame.shape[:2]
            if shape != other:
                raise BadSampleError(
                    f'{path} is {other[0]} x {other[1]} pixels (height x '
                    f'width), a frame before it, {paths[0]}, is {shape[0]} x '
                    f'{shape[1]}; the frames of a pair must have one size',
                    path,
                )
        self._check_size(paths[0], shape)
        results.update(img=frames, ori_shape=shape, img_shape=shape)
        return self.pipeline(results)

    def get_data_info(self, index: int) -> dict:
        """Return the files of the pair ``index`` without loading them."""
        if not 0 <= index < len(self):
            raise IndexError(f'no pair {index} among {len(self)}')
        number = int(np.searchsorted(self._ends, index, side='right'))
        clip, firsts = self.clips[number], self._firsts[number]
        first = firsts[index - int(self._ends[number])]  # from the end
        seconds = [
            second
            for second in range(
                first + self.frame_gap, first + self.max_gap + 1
            )
            if second in clip.frames
        ]
        draw = derive_seed('gap', index) if len(seconds) > 1 else 0
        indices = (first, seconds[draw % len(seconds)])
        return dict(
            sample_idx=index,
            img_path=clip.files(indices),
            frame_indices=indices,
        )

    def _firsts_of(self, clip: Clip) -> Sequence[int]:
        return clip.firsts(self.frame_gap)

    def _find_clips(self, recursive: bool) -> None:
        images = 0
        others: list[str] = []
        found = list(self._search(recursive, others))
        for path, names in self._tell_progress(found):
            images += len(names)
            usable = []
            for clip in self._split(path, names):
                if self._firsts_of(clip):
                    usable.append(clip)
                elif self.frame_name:
                    self.short_files += clip.files(list(clip.frames)[:1])
                else:
                    self.short_files.append(path)
            if names and usable:
                self._inspect_frame(usable[0], names)
            self.clips += usable
        if not self.frame_name:
            name_unused(self.data_root, others, 'images and no videos')
        if self.truncated_files:
            warn(
                f'Used as far as they go: {len(self.truncated_files)} videos '
                f'of {self.data_root} with fewer frames than their header '
                'says, which are probably truncated: '
                f'{listing(self.truncated_files)}'
            )
        if self.undecodable_files:
            warn(
                f'Not used: {len(self.undecodable_files)} videos of '
                f'{self.data_root} whose codec nothing here decodes: '
                f'{listing(self.undecodable_files)}. Convert them, as '
                "with 'ffmpeg -i OLD -c:v libx264 NEW.mp4'"
            )
        if self.short_files:
            warn(
                f'Not used: {len(self.short_files)} clips of {self.data_root} '
                f'without 2 frames that are frame_gap={self.frame_gap} apart: '
                f'{listing(self.short_files)}'
            )
        if not self.clips:
            raise ValueError(
                f'{self.data_root!r} holds no frame pair in {images} images: '
                f'{len(self.short_files)} clips have too few frames '
                f'{listing(self.short_files)}, '
                f'{len(self.broken_files)} videos cannot be opened '
                f'{listing(self.broken_files)}, of '
                f'{len(self.undecodable_files)} nothing here decodes the '
                f'codec {listing(self.undecodable_files)}. '
                f'{self._expected()}'
            )

    def _search(
        self, recursive: bool, others: list[str]
    ) -> Iterator[tuple[str, Sequence[str]]]:
        """Search videos and folders of frames, each once, by :func:`walk`."""
        if not os.path.isdir(self.data_root):
            raise FileNotFoundError(
                f'{self.data_root!r} is no folder. {self._expected()}'
            )
        try:
            roots = match_folders(self.data_root, self.folders)
        except FileNotFoundError as error:
            raise FileNotFoundError(f'{error} {self._expected()}') from None
        found = set()
        for root in roots or [self.data_root]:
            for path, names in walk(root, recursive, others=others):
                if path not in found:
                    found.add(path)
                    yield path, names

    def _tell_progress(self, found: list[tuple]) -> Iterator[tuple]:
        videos = sum(not names for _, names in found)
        told, read = time.monotonic(), 0
        for path, names in found:
            yield path, names
            read += not names
            if time.monotonic() - told > _PATIENCE:
                told = time.monotonic()
                print_log(
                    f'Finding the frames of {self.data_root}: {read} of '
                    f'{videos} videos',
                    logger='current',
                )

    def _split(self, path: str, names: Sequence[str]) -> list[Clip]:
        if self.frame_name:
            if is_video(names):
                return []
            return split_folder(path, names, self.frame_name)
        if names:
            return [Clip(path, Consecutive(names))]
        try:
            return [Clip(path, range(self._inspect_video(path)))]
        except NoDecoderError:
            self.undecodable_files.append(path)
            return []
        except BadSampleError as error:
            self.broken_files.append(path)
            warn(f'Not used: {error}')
            return []

    def _expected(self) -> str:
        what = self.expects or (
            f'a folder with videos ({VIDEO_SUFFIXES}) or with folders of at '
            f'least {self.frame_gap + 1} frames '
            f'({IMAGE_SUFFIXES})'
        )
        if self.folders:
            what += f', in the folders {", ".join(self.folders)}'
        if self.frame_name:
            what += f', frames named {self.frame_name.pattern}'
        return (
            f'Expected {what}. Set `data_root` to it, or, to train without '
            'it, remove this data set from the config.'
        )

    def _inspect_video(self, path: str) -> int:
        index = index_video(path)
        self._check_size(path, index.size)
        if index.missing:
            self.truncated_files.append(path)
        return index.count

    def _inspect_frame(self, clip: Clip, names: Sequence[str]) -> None:
        (path,) = clip.files([next(iter(clip.frames))])
        # what is packed is known without reading it
        shape = getattr(names, 'shape', None)
        shape = shape or image_header(path, 'height', 'width')
        # a damaged file is found bad, and counted, when it is loaded
        if shape:
            self._check_size(path, shape)

    def _check_size(self, path: str, shape: tuple[int, int]) -> None:
        if min(shape) < self.min_size:
            raise ValueError(
                f'{path}: frames are {shape[0]} x {shape[1]} pixels (height x '
                f'width), smaller than min_size={self.min_size}, the largest '
                'stride of the encoder. Remove the file; or, if the pipeline '
                'enlarges frames (ResizePair), set a smaller `min_size`.'
            )
