"""Videos that are written whole or not at all."""

import os
import weakref
from pathlib import Path

import cv2
import numpy as np


class VideoWriter:
    """A context that writes pictures as an MP4 file.

    The file gets its name when the context ends. An error leaves none; Ctrl-C
    leaves what there is so far, because a camera ends in no other way. A
    writer whose context never ends leaves nothing.

    Args:
        path (Path): File ending in .mp4, in a folder that exists.
        fps (float): Frames in a second.

    Raises:
        OSError: If OpenCV cannot encode the video, or its file is not whole.
        ValueError: If pictures differ in size, which OpenCV would skip.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.fps = fps
        # OpenCV tells the container by the suffix
        self._part = path.with_name(f'{path.stem}.{os.getpid()}.part.mp4')
        self._writer: cv2.VideoWriter | None = None
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def __enter__(self) -> 'VideoWriter':
        return self

    def write(self, picture: np.ndarray) -> None:
        """Add a picture: (H, W, 3) uint8, RGB."""
        if self._writer is None:
            self._open(picture.shape)
        if picture.shape != self._shape:
            raise ValueError(
                f'{self.path}: the pictures so far are {self._shape}, this '
                f'one is {picture.shape}'
            )
        # MPEG-4 halves the colours: of an odd side OpenCV drops a pixel
        height, width = picture.shape[:2]
        picture = np.pad(
            picture, ((0, height % 2), (0, width % 2), (0, 0)), mode='edge'
        )
        self._writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        self._count += 1

    def __exit__(self, kind: type | None, *_) -> None:
        if self._writer is None:
            return
        self._writer.release()
        try:
            if kind is None or not issubclass(kind, Exception):
                self._check()
                os.replace(self._part, self.path)
        finally:
            self._remove_part()

    def _open(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        height, width = (side + side % 2 for side in shape[:2])
        # also when the writer is dropped, or the program ends, in between
        self._remove_part = weakref.finalize(
            self, self._part.unlink, missing_ok=True
        )
        self._writer = cv2.VideoWriter(
            str(self._part),
            cv2.VideoWriter_fourcc(*'mp4v'),
            self.fps,
            (width, height),
        )
        if not self._writer.isOpened():
            raise OSError(
                f'{self.path}: OpenCV cannot write a video of {width} x '
                f'{height} pixels (width x height) at {self.fps} frames a '
                'second'
            )

    def _check(self) -> None:
        # OpenCV does not say when the disk is full.
        capture = cv2.VideoCapture(str(self._part))
        # -1 of what is no video
        count = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        capture.release()
        if count != self._count:
            raise OSError(
                f'{self.path}: {self._count} frames were written and {count} '
                'can be read back; is the disk full?'
            )
