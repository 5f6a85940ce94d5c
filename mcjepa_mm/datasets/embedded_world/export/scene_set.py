from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcjepa_mm.datasets.embedded_datasets import split_number
from mcjepa_mm.datasets.embedded_world.scene import Scene
from mcjepa_mm.datasets.embedded_world.world import EmbeddedWorld

_KIND = 2  # keeps the scenes apart from those of the embedded data sets


@dataclass(frozen=True)
class SceneSet:
    """The scenes that a layout writes.

    Attributes:
        num_scenes (int): Scenes of each split.
        num_frames (int): Frames of each scene.
        size (tuple[int, int]): Height and width in pixels.
        seed (int): Seed of the world.
        settings (dict): Further arguments of :class:`EmbeddedWorld`.

    Raises:
        ValueError: Without a scene.
    """

    num_scenes: int
    num_frames: int
    size: tuple[int, int]
    seed: int = 0
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.num_scenes < 1:
            raise ValueError(
                f'num_scenes must be at least 1, got {self.num_scenes}'
            )

    def world(self, split: str) -> EmbeddedWorld:
        """World of the split 'train', 'val' or 'test'; they share no scene."""
        return EmbeddedWorld(
            self.size,
            seed=(self.seed, _KIND, split_number(split)),
            **self.settings,
        )

    def scenes(
        self, split: str, first: int = 0
    ) -> Iterator[tuple[int, Scene]]:
        """``num_scenes`` scenes of a split with their numbers."""
        world = self.world(split)
        for number in range(first, first + self.num_scenes):
            yield number, world.scene(number)

    def frames(self, split: str) -> Iterator[tuple[int, Scene, int]]:
        """Iterate over the frames of a split: scene number, scene, time."""
        for number, scene in self.scenes(split):
            for t in range(self.num_frames):
                yield number, scene, t

    def rng(self, scene: int, frame: int) -> np.random.Generator:
        """Random generator of a frame's missing annotations."""
        return np.random.default_rng((self.seed, _KIND, scene, frame))
