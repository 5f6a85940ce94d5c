"""Random access to images and pairs of videos, packed and in their folder.

All images are read once in random order, as in a pass of a training, and
decoded or not: of 64 pixels, which show what access costs, and of 375 x 500.
Before each cold run Linux drops its caches, those of folders included, which
only root may do. Of a 720p H.264 video random pairs are read. A million
packed images and pairs of them, in clips of 12, are opened, and the paths of
a thousand found; the index has as many names of 1200 files.
"""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from benchmarks._case import Case, Work
from benchmarks._loading import as_worker, pictures
from benchmarks.video_pairs import clip

SMALL, LARGE = (64, 64), (375, 500)
COUNTS = {SMALL: 5000, LARGE: 200}
FRAMES, PAIRS = 300, 32
MILLION, CLIP = 999_996, 12
CACHES = Path('/proc/sys/vm/drop_caches')


@cache
def folders(
    size: tuple[int, int], count: int
) -> tuple[Path, Path, tempfile.TemporaryDirectory]:
    """A folder with images, 100 in each of its own, and it packed."""
    import simplejpeg

    from mcjepa_mm.datasets.packing import pack_folder

    folder = tempfile.TemporaryDirectory()
    plain, packed = Path(folder.name) / 'plain', Path(folder.name) / 'packed'
    drawn = [simplejpeg.encode_jpeg(x, 90) for x in pictures(20, size)]
    for number in range(count):
        path = plain / f'{number // 100:04d}' / f'{number % 100:04d}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn[number % 20])
    pack_folder(plain, packed)
    return plain, packed, folder


@cache
def packed_clip(
    frames: int, size: tuple[int, int], jpeg: int | None
) -> tempfile.TemporaryDirectory:
    """The video of ``video_pairs``, packed."""
    from mcjepa_mm.datasets.packing import pack_folder

    folder = tempfile.TemporaryDirectory()
    pack_folder(clip(frames, size).name, folder.name, jpeg=jpeg)
    return folder


def images(
    size: tuple[int, int], count: int, side: int, decoded: bool
) -> Callable[[], Work]:
    """A side: all images in random order."""

    def build() -> Work:
        import numpy as np

        from mcjepa_mm.datasets import UnlabelledImages
        from mcjepa_mm.datasets.packed_folder import read_packed

        pipeline = [dict(type='mcjepa_mm.LoadImageStrict')]
        data = UnlabelledImages(str(folders(size, count)[side]), pipeline)

        def read(index: int) -> bytes:
            path = data.get_data_info(index)['img_path']
            return read_packed(path) or Path(path).read_bytes()

        order = np.random.default_rng(0).permutation(count).tolist()
        return as_worker(data.__getitem__ if decoded else read, order)

    return build


def pairs(
    root: Callable[[], tempfile.TemporaryDirectory], count: int
) -> Callable[[], Work]:
    """A side: pairs of frames in random order."""

    def build() -> Work:
        from mcjepa_mm.datasets import FixedLengthSampler, FramePairs

        data = FramePairs(root().name, max_open_videos=1)
        order = list(FixedLengthSampler(data, count, seed=0))
        return as_worker(data.__getitem__, order)

    return build


def write_many(out: str, count: int) -> None:
    """A packed folder whose index has many names of few files."""
    import numpy as np

    from mcjepa_mm.datasets import packing
    from mcjepa_mm.datasets.packed_folder import open_packed

    packed = open_packed(str(folders(SMALL, 1200)[1]))
    shard, target = Path(packed.root, '00000.tar'), Path(out)
    shutil.copy(shard, target)
    rows = np.resize(packed._rows, count)
    clips = [
        packing._Clip('', f'{k:06d}', [f'{i}.jpg' for i in range(CLIP)], False)
        for k in range(count // CLIP)
    ]
    names = [f'{clip.folder}/{name}' for clip in clips for name in clip.names]
    written = packing._Shard(shard.stat().st_size, rows, names)
    packing._write_arrays(
        target, dict(format=packing.FORMAT), [written], clips
    )


@cache
def many(count: int) -> tempfile.TemporaryDirectory:
    """The folder, written by a process whose memory is not measured."""
    folder = tempfile.TemporaryDirectory()
    process = get_context('spawn').Process(
        target=write_many, args=(folder.name, count)
    )
    process.start()
    process.join()
    return folder


def opening(kind: str, count: int) -> Callable[[], Work]:
    """A side: open the folder, and find the files of a thousand samples."""

    def build() -> Work:
        from mcjepa_mm import datasets

        root = many(count).name

        def work() -> None:
            data = getattr(datasets, kind)(root)
            for index in range(0, len(data), max(1, len(data) // 1000)):
                data.get_data_info(index)

        return work

    return build


def drop_caches() -> None:
    """What is in memory of files, and of their names, is forgotten."""
    os.sync()
    CACHES.write_text('3')


def cases(
    device: str,
    counts: dict[tuple[int, int], int] = COUNTS,
    frames: int = FRAMES,
    size: tuple[int, int] = (720, 1280),
    num_pairs: int = PAIRS,
    million: int = MILLION,
) -> list[Case]:
    """On the CPU whatever the device is."""
    found = []
    for (shape, count), decoded in itertools.product(
        counts.items(), (True, False)
    ):
        sides = {
            name: images(shape, count, side, decoded)
            for name, side in (('packed', 1), ('folder', 0))
        }
        row = dict(sides=sides, tolerance=None, samples=count)
        name = f'{shape[0]} x {shape[1]}' + ', read alone' * (not decoded)
        found.append(Case(f'{name}, warm', **row, is_cpu_time=True))
        if os.access(CACHES, os.W_OK):
            found.append(Case(f'{name}, cold', **row, prepare=drop_caches))
        else:
            print(f'left out: {name}, cold: {CACHES} may not be written')
    videos = {
        'packed without loss': lambda: packed_clip(frames, size, None),
        'packed as JPEG, quality 95': lambda: packed_clip(frames, size, 95),
        'video': lambda: clip(frames, size),
    }
    sides = {name: pairs(root, num_pairs) for name, root in videos.items()}
    name = f'a pair of a video, {size[0]} x {size[1]}'
    opened = {
        kind: opening(kind, million)
        for kind in ('UnlabelledImages', 'FramePairs')
    }
    return [
        *found,
        Case(f'open {million}', opened, tolerance=None, is_cpu_time=True),
        Case(name, sides, tolerance=None, samples=num_pairs, is_cpu_time=True),
    ]
