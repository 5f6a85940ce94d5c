"""Image sources for the feature diagnosis."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mcjepa_mm.datasets.clips import find_images, walk
from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.datasets.transforms.image_loading import read_image
from mcjepa_mm.datasets.video_file import VideoFile

from .feature_maps import fit_image

FEWEST = 32
"""Pictures without which the figures say little."""

_SEED = (0, 4)  # keeps the scenes apart from those of the data sets


@dataclass(frozen=True)
class PictureSource:
    """Clips of as many frames each; single pictures are clips of one.

    Attributes:
        name (str): What the table calls them.
        clips (Sequence[Callable]): Each returns (K, size, size, 3) uint8,
            RGB.
        frames_per_clip (int): K.
        world (EmbeddedWorld, optional): Where they are drawn, so that there
            is ground truth: picture i is the first frame of scene i.
    """

    name: str
    clips: Sequence[Callable[[], np.ndarray]]
    frames_per_clip: int = 1
    world: EmbeddedWorld | None = None


def world_pictures(number: int, size: int) -> PictureSource:
    """First frames of scenes of the embedded world that no data set has."""
    world = EmbeddedWorld((size, size), seed=_SEED)

    def frame(index: int) -> Callable[[], np.ndarray]:
        return lambda: world.scene(index).frame(0)[None]

    return PictureSource(
        'built-in world', [frame(i) for i in range(number)], world=world
    )


def folder_pictures(
    folder: str | os.PathLike, number: int, size: int
) -> PictureSource:
    """Images below a folder, evenly spaced if there are more than wanted."""
    paths = find_images(_existing(folder), recursive=True)
    if len(paths) < FEWEST:
        raise ValueError(
            f'{folder} holds {len(paths)} images, with all folders below; '
            f'the figures need at least {FEWEST}'
        )

    def picture(path: str) -> Callable[[], np.ndarray]:
        return lambda: square(read_image(path, 'rgb'), size)[None]

    return PictureSource(
        'images', [picture(paths[i]) for i in _even(len(paths), number)]
    )


def folder_clips(
    folder: str | os.PathLike, number: int, size: int
) -> PictureSource:
    """Frames of the videos and folders of frames below a folder.

    One frame of each clip if there are as many clips as frames are wanted,
    else several, evenly spaced, as many of each (of a short clip some more
    than once).
    """
    found = list(walk(_existing(folder), True))
    chosen = [found[i] for i in _even(len(found), number)]
    frames = max(1, number // max(1, len(chosen)))
    counts = [len(names) or VideoFile(path).count() for path, names in chosen]
    distinct = sum(min(frames, count) for count in counts)
    if distinct < FEWEST:
        raise ValueError(
            f'{folder} holds {len(found)} videos and folders of frames, with '
            f'all folders below, of which {distinct} frames can be had; the '
            f'figures need at least {FEWEST}'
        )

    def clip(
        path: str, names: Sequence[str], count: int
    ) -> Callable[[], np.ndarray]:
        def read() -> np.ndarray:
            places = _even(count, frames, repeat=True)
            if names:
                files = [os.path.join(path, names[i]) for i in places]
                images = [square(read_image(x, 'rgb'), size) for x in files]
            else:
                video = VideoFile(path)
                images = [square(video.read(i), size) for i in places]
            return np.stack(images)

        return read

    clips = [clip(*x, count) for x, count in zip(chosen, counts)]
    return PictureSource('videos', clips, frames)


def square(image: np.ndarray, size: int) -> np.ndarray:
    """Scale an image (H, W, 3) to fill a square, and cut out its middle."""
    image = fit_image(image, size)
    top, left = ((side - size) // 2 for side in image.shape[:2])
    return image[top : top + size, left : left + size]


def _existing(folder: str | os.PathLike) -> str:
    folder = os.path.expanduser(os.fspath(folder))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'there is no folder {folder!r}')
    return folder


def _even(count: int, number: int, *, repeat: bool = False) -> list[int]:
    """``number`` of ``count`` places, the middles of equal parts.

    No more than there are, unless they may repeat.
    """
    if not repeat:
        number = min(count, number)
    places = (np.arange(number) + 0.5) * count / number
    return places.astype(int).tolist()
