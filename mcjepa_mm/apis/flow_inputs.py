"""Frame sources: images, arrays, folders, videos and cameras."""

import os
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mcjepa_mm.datasets.clips import is_still, printable, warn
from mcjepa_mm.datasets.transforms.image_loading import read_image
from mcjepa_mm.datasets.video_file import VideoFile

from .image_inputs import images_of_folder

Picture = str | os.PathLike | np.ndarray


class Frame(NamedTuple):
    """A frame and where it is from."""

    image: np.ndarray  # (H, W, 3) uint8, BGR
    path: str  # of the image, video or camera; '' for an array
    name: str  # of files about it, without a suffix
    clip: int  # frames of one clip follow each other in time


class FrameStream(NamedTuple):
    """Frames in the order of time, loaded as they are asked for.

    ``num_pairs`` and ``fps`` are None where they are not known.
    """

    frames: Iterator[Frame]
    title: str
    num_pairs: int | None
    num_clips: int = 1
    fps: float | None = None

    def cut(self, max_frames: int | None) -> 'FrameStream':
        """The same stream, ended after ``max_frames`` frames."""
        if max_frames is None:
            return self
        if max_frames < 2:
            raise ValueError(
                f'max_frames must be at least 2, a pair, got {max_frames}'
            )
        pairs = max_frames - 1
        if self.num_pairs is not None:
            pairs = min(pairs, self.num_pairs)
        return self._replace(
            frames=islice(self.frames, max_frames), num_pairs=pairs
        )


def open_stream(inputs: int | Picture | Sequence) -> FrameStream:
    """Open the inputs of a :class:`FlowInferencer`.

    Raises:
        BadSampleError: If a video cannot be opened.
        FileNotFoundError: If a path or a camera does not exist.
        ValueError: If there is no pair of frames.
        TypeError: If it is nothing of that kind.
    """
    if isinstance(inputs, int):
        return _from_camera(inputs)
    if isinstance(inputs, (list, tuple)):
        alone = any(isinstance(x, Picture) for x in inputs)
        return _from_clips([inputs] if alone else inputs)
    if not isinstance(inputs, (str, os.PathLike)):
        raise TypeError(
            'inputs must be two images, a list of pairs, a folder of frames, '
            f'a video or the number of a camera, got {type(inputs)}'
        )
    path = os.path.expanduser(os.fspath(inputs))
    if os.path.isdir(path):
        clip = images_of_folder(path, 2, 'of a video give the file itself')
        return _from_clips([clip])._replace(title=_stem(path))
    if not os.path.exists(path):
        raise FileNotFoundError(f'there is no image, folder or video {path!r}')
    if is_still(path):
        raise ValueError(
            f'{path} is one image; flow needs two, or a folder or a video'
        )
    return _from_video(path)


def _from_clips(clips: Sequence[Sequence[Picture]]) -> FrameStream:
    """Frames that are listed, each clip by itself."""
    for clip in clips:
        if not isinstance(clip, (list, tuple)) or not all(
            isinstance(x, Picture) for x in clip
        ):
            raise TypeError(
                'expected a list of frames or a list of pairs, a frame being '
                f'a path or an array (H, W, 3), got {type(clip)} among them'
            )
    if not clips or min(map(len, clips)) < 2:
        raise ValueError(
            f'flow needs two frames, got {[len(clip) for clip in clips]}'
        )
    pictures = [(i, x) for i, clip in enumerate(clips) for x in clip]
    names = [
        f'{i:06d}' if isinstance(x, np.ndarray) else _stem(x)
        for i, (_, x) in enumerate(pictures)
    ]
    # only the first frame of a pair gives its name to a file
    clip_of = [i for i, _ in pictures]
    firsts = [n for n, a, b in zip(names, clip_of, clip_of[1:]) if a == b]
    if len(set(firsts)) < len(firsts):
        names = [f'{i:06d}_{name}' for i, name in enumerate(names)]

    def frames() -> Iterator[Frame]:
        for name, (clip, picture) in zip(names, pictures):
            yield Frame(*_load(picture), name, clip)

    return FrameStream(frames(), names[0], len(firsts), len(clips))


def _from_video(path: str) -> FrameStream:
    """Frames of a video, in order."""
    video = VideoFile(path, threads=0)

    def frames() -> Iterator[Frame]:
        index = 0
        for index, image in enumerate(video.frames(), 1):
            bgr = np.ascontiguousarray(image[..., ::-1])
            yield Frame(bgr, path, f'{index - 1:06d}', 0)
        promised = video.count() + video.missing
        if index < promised:
            # What a broken recording still has is worth having.
            warn(
                f'{printable(path)}: {index} frames can be decoded, though '
                f'there should be {promised}; the file is truncated or '
                'damaged'
            )

    return FrameStream(frames(), _stem(path), video.count() - 1, fps=video.fps)


def _from_camera(number: int) -> FrameStream:
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise FileNotFoundError(
            f'camera {number} cannot be opened: there is none of this '
            'number, another program has it, or access is not allowed'
        )
    fps = capture.get(cv2.CAP_PROP_FPS)

    def frames() -> Iterator[Frame]:
        try:
            for index in count():
                good, image = capture.read()
                if not good:
                    break
                yield Frame(image, f'camera {number}', f'{index:06d}', 0)
        finally:
            capture.release()

    return FrameStream(
        frames(), f'camera_{number}', None, fps=fps if fps > 0 else None
    )


def _load(picture: Picture) -> tuple[np.ndarray, str]:
    """A frame's pixels, (H, W, 3) uint8, BGR, and its path."""
    if not isinstance(picture, np.ndarray):
        path = os.path.expanduser(os.fspath(picture))
        return read_image(path), path
    if picture.dtype != np.uint8 or picture.shape[2:] != (3,):
        raise ValueError(
            'a frame must be (H, W, 3) uint8, BGR, got '
            f'{picture.shape} {picture.dtype}'
        )
    return np.ascontiguousarray(picture), ''


def _stem(path: str | os.PathLike) -> str:
    return Path(os.path.abspath(path)).stem
