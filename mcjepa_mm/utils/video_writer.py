"""Write video files atomically."""

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from mmengine.logging import print_log

from .atomic_write import LONGEST_NAME, part_name

_LONGEST = 8190
"""Most pixels of a side that MPEG-4 takes, of the even numbers."""

_CODEC_RATE = 25
"""Frames in a second that the codec is told. MPEG-4 counts to 65535 in a
second, which is too coarse for 119.997; the container has the true times, and
players follow them."""

_QUALITY = 3
"""MPEG-4's quantiser, from 1, the best, to 31."""


class VideoWriter:
    """Context manager that writes images to an MP4 file.

    The file gets its name when the context ends. An error leaves none; Ctrl-C
    leaves what there is so far, because a camera ends in no other way. A
    writer whose context never ends leaves nothing. Pictures that are larger
    than the codec takes, 8190 pixels, are scaled down.

    Args:
        path (Path): File ending in .mp4, in a folder that exists.
        fps (float): Frames in a second.

    Raises:
        OSError: If the video cannot be written.
        ValueError: If ``fps`` is no rate, if pictures differ in size, or if
            the name is too long.
    """

    def __init__(self, path: Path, fps: float) -> None:
        if not 1e-3 <= fps <= 1e6:
            raise ValueError(
                f'{path}: fps must be from 0.001 to 1000000, got {fps}'
            )
        self.path = path
        self.fps = fps
        self._time_base = 1 / Fraction(fps).limit_denominator(1001)
        self._part = path.with_name(part_name(path.name))
        self._container: OutputContainer | None = None
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def __enter__(self) -> 'VideoWriter':
        return self

    def write(self, picture: np.ndarray) -> None:
        """Append an image: (H, W, 3) uint8, RGB."""
        if self._container is None:
            self._open(picture.shape)
        if picture.shape != self._shape:
            raise ValueError(
                f'{self.path}: the pictures so far are {self._shape}, this '
                f'one is {picture.shape}'
            )
        size = (self._stream.width, self._stream.height)
        if max(picture.shape) > _LONGEST:
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        else:
            # MPEG-4 halves the colours: sides are even
            height, width = picture.shape[:2]
            picture = np.pad(
                picture, ((0, height % 2), (0, width % 2), (0, 0)), mode='edge'
            )
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(picture), format='rgb24'
        )
        frame.pts = self._count
        self._count += 1
        with self._named_errors():
            self._mux(frame)

    def __exit__(self, kind: type | None, *_) -> None:
        if self._container is None:
            return
        whole = False
        try:
            if kind is None or not issubclass(kind, Exception):
                with self._named_errors():
                    self._mux(None)
                    self._container.close()
                os.replace(self._part, self.path)
                whole = True
        finally:
            if not whole:
                with suppress(av.FFmpegError):  # the error is on its way
                    self._container.close()
            self._remove_part()

    def _open(self, shape: tuple[int, ...]) -> None:
        # not when all is computed, and it is to get its name
        if len(os.fsencode(self.path.name)) > LONGEST_NAME:
            raise ValueError(
                f'{self.path}: the name has more than {LONGEST_NAME} bytes, '
                'which file systems do not take; give the input a shorter one'
            )
        self._shape = shape
        height, width = (side + side % 2 for side in shape[:2])
        if max(height, width) > _LONGEST:
            scale = _LONGEST / max(height, width)
            height, width = (
                max(2, round(side * scale / 2) * 2) for side in (height, width)
            )
            print_log(
                f'{self.path}: pictures of {shape[1]} x {shape[0]} pixels '
                f'(width x height) are scaled down to {width} x {height}, the '
                'most that the codec takes',
                logger='current',
            )
        # also when the writer is dropped, or the program ends, in between
        self._remove_part = weakref.finalize(
            self, self._part.unlink, missing_ok=True
        )
        with self._named_errors():
            # without the protocol, 14:05.mp4 would be one called 14
            self._container = av.open(f'file:{self._part}', 'w', format='mp4')
            self._stream = self._container.add_stream(
                'mpeg4',
                rate=_CODEC_RATE,
                options=dict(qmin=str(_QUALITY), qmax=str(_QUALITY)),
            )
            self._stream.width, self._stream.height = width, height
            self._stream.pix_fmt = 'yuv420p'
            self._stream.time_base = self._time_base
            self._container.start_encoding()

    def _mux(self, frame: av.VideoFrame | None) -> None:
        assert self._container is not None  # since the first picture
        for packet in self._stream.codec_context.encode(frame):
            packet.stream = self._stream
            packet.time_base = self._time_base
            packet.duration = 1
            self._container.mux(packet)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError as error:
            height, width = self._shape[:2]
            raise OSError(
                f'{self.path}: cannot write a video of {width} x {height} '
                f'pixels (width x height): {error.strerror}'
            ) from error
