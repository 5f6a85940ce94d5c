"""Frames of video files, by number."""

import os
from collections import OrderedDict

import cv2
import numpy as np

from mcjepa_mm.datasets.bad_samples import BadSampleError
from mcjepa_mm.datasets.whole_pictures import is_jpeg, is_png

_NEAR = 16
"""Frames that are decoded on the way rather than sought: a seek decodes from
the last key frame, which is as far away on average in common videos."""


_INHERITED: list = []


class VideoFile:
    """Random access to the frames of a video.

    mmcv.VideoReader has the same purpose, but seeks for every jump, so that a
    pair with a gap decodes from the key frame twice, and returns None where
    this names the file.

    Args:
        path (str): A file that OpenCV can decode.

    Raises:
        BadSampleError: If it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._capture = cv2.VideoCapture(path)
        # OpenCV opens a picture as well, as a video of one frame
        if not self._capture.isOpened() or _is_picture(path):
            raise BadSampleError(
                f'{path} cannot be opened as a video: it is truncated, '
                'empty, a picture or of an unknown format',
                path,
            )
        self._next = 0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return (
            int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        )

    @property
    def fps(self) -> float | None:
        """Frames in a second, where the header says it."""
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        return fps if fps > 0 else None

    def count(self) -> int:
        """Number of frames as the header says, else by decoding them all.

        Raises:
            BadSampleError: If the header says more frames than the file has
                bytes.
        """
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        size = os.path.getsize(self.path)
        if count > size:
            # whoever lists the frames would need memory for all of them
            raise BadSampleError(
                f'{self.path}: the header promises {count} frames, but the '
                f'file has only {size} bytes; it is damaged',
                self.path,
            )
        if count > 0:
            return count
        # Recordings of browsers, for one, do not hold their length.
        count = 0
        while self._capture.grab():
            count += 1
        self._next = -1
        return count

    def read(self, index: int) -> np.ndarray:
        """Frame ``index``: (H, W, 3) uint8, RGB.

        Raises:
            BadSampleError: If it cannot be decoded.
        """
        if not 0 <= index - self._next <= _NEAR or self._next < 0:
            self._seek(index)
        while self._next < index and self._capture.grab():
            self._next += 1
        good, frame = self._capture.read()
        if self._next != index or not good:
            self._next = -1
            raise BadSampleError(
                f'{self.path}: frame {index} cannot be decoded, though the '
                'header promises it; the file is probably truncated',
                self.path,
            )
        self._next += 1
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)

    def _seek(self, index: int) -> None:
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        self._next = round(self._capture.get(cv2.CAP_PROP_POS_FRAMES))
        if self._next > index:
            # Some containers only seek to key frames: decode from the start.
            self._capture = cv2.VideoCapture(self.path)
            self._next = 0


def _is_picture(path: str) -> bool:
    with open(path, 'rb') as file:
        begin = file.read(8)
    return is_png(begin) or is_jpeg(begin)


class VideoCache:
    """The videos that were used last, kept open.

    Every process has its own: a decoder does not survive a fork, and is not
    pickled.

    Args:
        max_open (int): Most videos that are open at a time.
    """

    def __init__(self, max_open: int) -> None:
        if max_open < 1:
            raise ValueError(f'max_open must be positive, got {max_open}')
        self.max_open = max_open
        self._clear()

    def __getstate__(self) -> dict:
        return dict(max_open=self.max_open)

    def __setstate__(self, state: dict) -> None:
        self.max_open = state['max_open']
        self._clear()

    def __len__(self) -> int:
        return len(self._videos)

    def __getitem__(self, path: str) -> VideoFile:
        if self._process != os.getpid():
            # Closing an inherited decoder would wait for threads that did
            # not survive the fork.
            _INHERITED.append(self._videos)
            self._clear()
        if path not in self._videos:
            self._videos[path] = VideoFile(path)
        self._videos.move_to_end(path)
        while len(self._videos) > self.max_open:
            self._videos.popitem(last=False)
        return self._videos[path]

    def _clear(self) -> None:
        self._videos: OrderedDict[str, VideoFile] = OrderedDict()
        self._process = os.getpid()
