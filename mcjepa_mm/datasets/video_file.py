"""Random access to video frames."""

import os
from collections.abc import Iterator

import av
import numpy as np

from mcjepa_mm.datasets.bad_samples import BadSampleError
from mcjepa_mm.datasets.clips import printable
from mcjepa_mm.datasets.video_decoding import (
    VideoIndex,
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

    On the way to a frame, those of which no other is made (most B frames) are
    not decoded; that changes no pixel of the others.

    Args:
        path (str): A file that FFmpeg can decode.
        threads (int): Of the decoder; 0 for as many as there are cores, which
            serves reading in order. Defaults to 1, as dataloader workers
            share the cores already.

    Raises:
        BadSampleError: If it cannot be opened, or none of it be decoded.
    """

    _frames: Iterator[av.VideoFrame]
    _next: int | None

    def __init__(self, path: str, threads: int = 1) -> None:
        self.path = path
        self._threads = threads
        self._index = index_video(path)
        self._passed = _Passed(self._index)
        self._restart()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first frame in pixels."""
        return self._index.size

    @property
    def fps(self) -> float | None:
        """Average frame rate, if known."""
        return self._index.fps

    @property
    def missing(self) -> int:
        """Number of frames in the header that the file lacks."""
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
        """Iterate over all frames, (H, W, 3) uint8, RGB.

        Those that cannot be decoded are left out.
        """
        self._restart()
        self._passed.wanted = 0
        for frame in self._frames:
            yield picture(frame)

    def distance(self, index: int) -> int | None:
        """Frames on the way to ``index``; None if it takes a seek."""
        begin = self._key(index)[1]
        if self._next is None or not begin <= self._next <= index:
            return None
        return index - self._next

    def _key(self, index: int) -> tuple[int, int]:
        """Number of key frames up to a frame, and the last one."""
        keys = self._index.keys
        count = int(np.searchsorted(keys, index, side='right'))
        return count, int(keys[count - 1]) if count else 0

    def _find(self, index: int) -> av.VideoFrame | None:
        if not 0 <= index < self._index.count:
            return None
        if self.distance(index) is not None:
            frame = self._advance(index)
            if frame is not None:
                return frame
        # the key frame before it, and the one before that
        last = self._key(index)[0]
        for key in range(last - 1, max(last - 3, -1), -1):
            if self._seek(int(self._index.seeks[key])):
                frame = self._advance(index, in_full=key < last - 1)
                if frame is not None:
                    return frame
        self._restart()
        return self._advance(index, in_full=True)

    def _advance(
        self, index: int, in_full: bool = False
    ) -> av.VideoFrame | None:
        """Decode up to a frame; None if it does not come."""
        self._passed.wanted = 0 if in_full else index
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
        self._frames = self._decode(self._index.landings)
        return True

    def _restart(self) -> None:
        self._container = open_video(self.path, self._threads)
        self._frames = self._decode()
        self._next = 0

    def _decode(
        self, landings: dict[int, int] | None = None
    ) -> Iterator[av.VideoFrame]:
        is_passed = self._passed if self._index.is_plain else None
        return decode(self._container, landings, is_passed)


class _Passed:
    """Whether a packet's frame is one on the way to the frame that is wanted.

    An object of its own: a method of the file would be held by its frames, so
    that a file that nobody needs would be closed by the garbage collector,
    perhaps in a process that was forked since, where its threads are not.
    """

    def __init__(self, index: VideoIndex) -> None:
        # of each packet, the number of its frame
        packets = index.packets if index.is_plain else None
        self._shown = np.argsort([] if packets is None else packets)
        self.wanted = 0

    def __call__(self, packet: int) -> bool:
        shown = self._shown
        return packet < len(shown) and shown[packet] < self.wanted


class VideoCache:
    """LRU cache of open videos and their read positions.

    A video may be open several times. What is read on from several places,
    each in its turn, is decoded without a seek then.

    Every process has its own: a decoder does not survive a fork, and is not
    pickled.

    Args:
        max_open (int): Most places that are open at a time.
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

    def at(self, path: str, index: int) -> VideoFile:
        """Return the open video that reads ``index`` soonest."""
        if self._process != os.getpid():
            # Closing an inherited decoder would wait for threads that did
            # not survive the fork.
            _INHERITED.append(self._videos)
            self._clear()
        found = self._nearest(path, index)
        if found is None and len(self._videos) == self.max_open:
            oldest = self._videos.pop(0)
            found = oldest if oldest.path == path else None
        elif found is not None:
            self._videos.remove(found)
        found = found or VideoFile(path)
        self._videos.append(found)
        return found

    def _nearest(self, path: str, index: int) -> VideoFile | None:
        ways = {}
        for video in self._videos:
            way = video.distance(index) if video.path == path else None
            if way is not None:
                ways[way] = video
        return ways[min(ways)] if ways else None

    def _clear(self) -> None:
        self._videos: list[VideoFile] = []  # the one read last at the end
        self._process = os.getpid()
