"""Frames of video files, by number."""

import os
from collections import OrderedDict
from collections.abc import Iterator

import av
import numpy as np

from mcjepa_mm.datasets.bad_samples import BadSampleError
from mcjepa_mm.datasets.clips import printable
from mcjepa_mm.datasets.video_decoding import (
    decode,
    index_video,
    open_video,
    picture,
    video_stream,
)

_INHERITED: list = []


class VideoFile:
    """Random access to the frames of a video.

    Frame ``n`` is the one that decoding from the start gives after ``n``
    others, whatever the header says. Where a seek ends is not believed
    either: each frame is known by its packet, and what is not found after a
    seek is looked for from the start.

    Args:
        path (str): A file that FFmpeg can decode.
        threads (int): Of the decoder; 0 for as many as there are cores, which
            serves reading in order. Defaults to 1, as dataloader workers
            share the cores already.

    Raises:
        BadSampleError: If it cannot be opened, or none of it be decoded.
    """

    def __init__(self, path: str, threads: int = 1) -> None:
        self.path = path
        self._threads = threads
        self._index = index_video(path)
        self._restart()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first frame in pixels."""
        return self._index.size

    @property
    def fps(self) -> float | None:
        """Frames in a second on average, where it is known."""
        return self._index.fps

    @property
    def is_seekable(self) -> bool:
        """Whether going back does not mean decoding from the start."""
        return len(self._index.keys) > 0

    @property
    def missing(self) -> int:
        """How many more frames the header promises than the file has."""
        return self._index.missing

    def count(self) -> int:
        """Number of frames."""
        return self._index.count

    def read(self, index: int) -> np.ndarray:
        """Frame ``index``: (H, W, 3) uint8, RGB.

        Raises:
            BadSampleError: If it cannot be decoded.
        """
        frame = self._find(index)
        if frame is None:
            count = self._index.count
            why = f'ends after {count}' if index >= count else 'is damaged'
            raise BadSampleError(
                f'{printable(self.path)}: frame {index} cannot be decoded; '
                f'the file {why}',
                self.path,
            )
        return picture(frame)

    def frames(self) -> Iterator[np.ndarray]:
        """All frames in order, (H, W, 3) uint8, RGB, as they are asked for.

        Those that cannot be decoded are left out.
        """
        self._restart()
        for frame in self._frames:
            yield picture(frame)

    def _find(self, index: int) -> av.VideoFrame | None:
        if not 0 <= index < self._index.count:
            return None
        # the key frame before it, and the one before that
        last = int(np.searchsorted(self._index.keys, index, side='right'))
        begin = self._index.keys[last - 1] if last else 0
        if self._next is not None and begin <= self._next <= index:
            frame = self._advance(index)
            if frame is not None:
                return frame
        for key in range(last - 1, max(last - 3, -1), -1):
            if self._seek(int(self._index.seeks[key])):
                frame = self._advance(index)
                if frame is not None:
                    return frame
        self._restart()
        return self._advance(index)

    def _advance(self, index: int) -> av.VideoFrame | None:
        """Decode up to a frame; None if it does not come."""
        for frame in self._frames:
            number = self._index.number(frame.pts, self._next)
            if number is None:
                continue
            self._next = number + 1
            if number >= index:
                return frame if number == index else None
        self._next = None
        return None

    def _seek(self, time: int) -> bool:
        self._next = None
        try:
            self._container.seek(time, stream=video_stream(self._container))
        except av.FFmpegError:
            return False
        self._frames = decode(self._container, self._index.landings)
        return True

    def _restart(self) -> None:
        self._container = open_video(self.path, self._threads)
        self._frames = decode(self._container)
        self._next: int | None = 0


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
