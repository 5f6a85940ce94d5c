"""Frame pairs of 360 x 640 pixels, at random places, in one thread.

The pipeline is that of one's own data: the shorter side becomes 288, then a
window of 256 x 256 is cut and flipped. The peers read the frames by others'
means and end with our transforms: of a video by mmcv's VideoReader, or by an
OpenCV capture that is opened for each pair, as a data set without a state has
it; of folders by mmcv's imread. Only ours refuses damaged JPEGs and PNGs.
Windows are random, so pairs are not compared.
"""

import tempfile
from collections.abc import Callable, Mapping
from itertools import cycle, islice
from pathlib import Path

from benchmarks._case import Case, Work
from benchmarks._loading import (
    CONFIGS,
    as_worker,
    build_pipeline,
    pictures,
)

# Frames of a clip: most pairs of a video are far from the one before.
FRAMES, PAIRS, SIZE = {'.mp4': 192, '.jpg': 24, '.png': 24}, 12, (360, 640)
DRAWN = 24  # the others repeat them, there and back


def recipe() -> list[dict]:
    """The transforms of one's own videos."""
    from mmengine.config import Config

    cfg = Config.fromfile(CONFIGS / 'datasets' / 'own_data.py')
    return cfg.motion_train_dataloader.dataset.dataset.pipeline


def ours(root: Path) -> Callable[[int], object]:
    """The data set of the recipe."""
    from mcjepa_mm.datasets import FramePairs

    return FramePairs(str(root), pipeline=recipe()).__getitem__


def mmcv_reader(root: Path) -> Callable[[int], object]:
    """A reader of mmcv, kept open; RGB is made of its BGR."""
    import mmcv

    (path,) = root.iterdir()
    video = mmcv.VideoReader(str(path))
    return _finish(lambda i: [mmcv.bgr2rgb(video[i + k]) for k in (0, 1)])


def capture_per_pair(root: Path) -> Callable[[int], object]:
    """A capture of OpenCV that is opened and sought for each pair."""
    import cv2

    (path,) = root.iterdir()

    def read(first: int) -> list:
        capture = cv2.VideoCapture(str(path))
        capture.set(cv2.CAP_PROP_POS_FRAMES, first)
        frames = [capture.read()[1] for _ in range(2)]
        capture.release()
        return [cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) for frame in frames]

    return _finish(read)


def mmcv_imread(root: Path) -> Callable[[int], object]:
    """Images by mmcv, which takes OpenCV."""
    import mmcv

    paths = sorted(root.iterdir())
    return _finish(
        lambda i: [
            mmcv.imread(path, channel_order='rgb') for path in paths[i : i + 2]
        ]
    )


def _finish(read: Callable[[int], list]) -> Callable[[int], object]:
    pipeline = build_pipeline(recipe())
    return lambda first: pipeline(dict(img=read(first)))


def make(
    side: Callable[[Path], Callable],
    suffix: str,
    frames: int,
    size: tuple[int, int],
) -> Callable[[], Work]:
    """A side that reads a clip from a folder of its own."""

    def build() -> Work:
        import numpy as np

        folder = tempfile.TemporaryDirectory()
        root = Path(folder.name)
        write_clip(root, suffix, frames, size)
        load = side(root)
        np.random.seed(0)
        firsts = np.random.permutation(frames - 1)[:PAIRS].tolist()

        return as_worker(load, firsts, folder)

    return build


def write_clip(
    root: Path, suffix: str, frames: int, size: tuple[int, int]
) -> None:
    """A video, or one image per frame."""
    from PIL import Image

    from mcjepa_mm.utils.video_writer import VideoWriter

    drawn = pictures(min(frames, DRAWN), size)
    clip = list(islice(cycle(drawn + drawn[::-1]), frames))
    if suffix == '.mp4':
        with VideoWriter(root / 'clip.mp4', fps=25) as writer:
            for picture in clip:
                writer.write(picture)
        return
    for number, picture in enumerate(clip):
        Image.fromarray(picture).save(root / f'{number:04d}{suffix}')


def cases(
    device: str,
    frames: Mapping[str, int] = FRAMES,
    size: tuple[int, int] = SIZE,
) -> list[Case]:
    """A video, JPEGs and PNGs, on the CPU whatever the device is."""
    images = {'ours': ours, "mmcv's imread": mmcv_imread}
    kinds = {
        '.mp4': {
            'ours': ours,
            "mmcv's VideoReader": mmcv_reader,
            'a capture per pair': capture_per_pair,
        },
        '.jpg': images,
        '.png': images,
    }
    return [
        Case(
            shape=f'{suffix}, {size[0]} x {size[1]}',
            sides={
                name: make(side, suffix, frames[suffix], size)
                for name, side in sides.items()
            },
            tolerance=None,
            is_cpu_time=True,
            samples=min(PAIRS, frames[suffix] - 1),
        )
        for suffix, sides in kinds.items()
    ]
