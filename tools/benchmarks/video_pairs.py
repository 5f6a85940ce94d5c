"""Pairs of a 720p H.264 video in random order, CPU time of one thread.

The video has 300 frames and the encoder's default, a key frame in 250. The
first row seeks each pair, as in a folder of many videos, where none that is
open is near it; the rows below it go on from a place, four places in turns,
as a batch of four pairs does. The peer seeks the key frame before a pair and
decodes all from there, as one writes it with PyAV. It times what a worker
reads, before any transform.
"""

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from benchmarks._case import Case, Work
from benchmarks._loading import as_worker

FRAMES, SIZE = 300, (720, 1280)
PAIRS = 64  # of places; the peer reads half of them
PER_SEEK = (4, 8)
PLACES = 4  # pairs of a batch


@cache
def clip(frames: int, size: tuple[int, int]) -> tempfile.TemporaryDirectory:
    """A folder with a video: a window that moves over a picture."""
    import av
    import cv2
    import numpy as np

    height, width = size
    shape = height + frames, width + 2 * frames
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (shape[0] // 20, shape[1] // 20, 3), 'uint8')
    world = cv2.resize(coarse, shape[::-1])
    folder = tempfile.TemporaryDirectory()
    with av.open(str(Path(folder.name) / 'clip.mp4'), 'w') as out:
        stream = out.add_stream('libx264', rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        for i in range(frames):
            window = world[i : i + height, 2 * i : 2 * i + width]
            image = np.ascontiguousarray(window)
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return folder


def ours(
    frames: int, size: tuple[int, int], pairs: int, per_seek: int
) -> Callable[[], Work]:
    """A side: the data set, in the order of its sampler."""

    def build() -> Work:
        from mcjepa_mm.datasets import FramePairs
        from mcjepa_mm.datasets.samplers import FixedLengthSampler

        dataset = FramePairs(
            clip(frames, size).name,
            max_open_videos=PLACES if per_seek > 1 else 1,
        )
        sampler = FixedLengthSampler(
            dataset, pairs, pairs_per_seek=per_seek, places=PLACES, seed=0
        )
        return as_worker(dataset.__getitem__, list(sampler))

    return build


def seek_and_decode(
    frames: int, size: tuple[int, int], pairs: int
) -> Callable[[], Work]:
    """A side: the same pairs as ours by a seek and all frames after it."""

    def build() -> Work:
        import av

        from mcjepa_mm.datasets.samplers import FixedLengthSampler

        path = Path(clip(frames, size).name) / 'clip.mp4'
        container = av.open(str(path))
        (stream,) = container.streams.video
        stream.codec_context.thread_count = 1
        duration = round(1 / (stream.average_rate * stream.time_base))

        def read(first: int) -> None:
            container.seek(first * duration, stream=stream)
            for frame in container.decode(stream):
                if frame.pts >= first * duration:
                    frame.to_ndarray(format='rgb24')
                if frame.pts > first * duration:
                    return

        sampler = FixedLengthSampler(range(frames - 1), pairs, seed=0)
        return as_worker(read, list(sampler))

    return build


def cases(
    device: str,
    frames: int = FRAMES,
    size: tuple[int, int] = SIZE,
    pairs: int = PAIRS,
) -> list[Case]:
    """One video, on the CPU whatever the device is."""

    def case(shape: str, sides: dict[str, Callable], pairs: int) -> Case:
        return Case(
            shape=f'{shape}, {size[0]} x {size[1]}',
            sides=sides,
            tolerance=None,
            samples=pairs,
            is_cpu_time=True,
        )

    groups = {
        f'{n} pairs a seek': ours(frames, size, pairs, n) for n in PER_SEEK
    }
    few = pairs // 2
    return [
        case(
            'places',
            {'ours, 1 pair a seek': ours(frames, size, pairs, 1), **groups},
            pairs,
        ),
        case(
            'a random pair',
            {
                'ours': ours(frames, size, few, 1),
                'seek, then decode': seek_and_decode(frames, size, few),
            },
            few,
        ),
    ]
