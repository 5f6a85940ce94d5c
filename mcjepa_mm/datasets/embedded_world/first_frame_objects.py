"""Scenes with masks of the objects in the first frame."""

from typing import NamedTuple

import numpy as np

from .scene import Scene
from .world import EmbeddedWorld

MIN_AREA = 64
"""Pixels of an object's first mask, in a frame whose shorter side is 128."""

_TRIES = 100
_STEP = 10**6  # more scenes than anybody asks for


class MaskedScene(NamedTuple):
    """A scene with object numbers as in DAVIS.

    Attributes:
        scene (Scene): The scene.
        numbers (np.ndarray): (256,) uint8, object number of each layer: from
            1, the front-most, 0 for the background and for objects that the
            first frame does not show, or hardly.
    """

    scene: Scene
    numbers: np.ndarray

    def mask(self, t: float) -> np.ndarray:
        """Objects from 1, background 0, at time ``t``: (H, W) uint8."""
        return self.numbers[self.scene.layers(t)]


def masked_scene(world: EmbeddedWorld, index: int) -> MaskedScene:
    """Scene ``index`` of those with an object in the first frame.

    Where scene ``index`` of the world does not, another one of its own takes
    its place, so that two indices never share a scene.

    Raises:
        ValueError: If the world has next to no such scene.
    """
    fewest = MIN_AREA * world.unit**2
    for number in range(index, index + _TRIES * _STEP, _STEP):
        scene = world.scene(number)
        areas = np.bincount(scene.layers(0).ravel(), minlength=256)
        count = len(scene.objects)
        shown = np.flatnonzero(areas[:count] >= fewest)
        if len(shown):
            numbers = np.zeros(256, np.uint8)
            numbers[shown] = np.arange(1, len(shown) + 1)
            return MaskedScene(scene, numbers)
    raise ValueError(
        f'none of {_TRIES} scenes shows an object of at least {fewest:.0f} '
        f'pixels in its first frame: num_objects={world.num_objects}, '
        f'radius={world.radius}; let the world have more or larger objects'
    )
