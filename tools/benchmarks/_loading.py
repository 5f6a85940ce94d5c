"""Data loading work and test files for the benchmark."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks._case import Work

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / '_base_'
NOISE = 6.0  # grey values; gives the files the size of photographs


def pictures(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Frames of one scene with a camera's noise, (H, W, 3) uint8, RGB."""
    from mcjepa_mm.datasets import EmbeddedWorld

    scene = EmbeddedWorld(size).scene(0)
    rng = np.random.default_rng(0)
    return [
        (scene.frame(t) + rng.normal(0, NOISE, (*size, 1)))
        .clip(0, 255)
        .astype(np.uint8)
        for t in range(count)
    ]


def build_pipeline(steps: Sequence[dict]) -> Callable[[dict], Any]:
    """The transforms of a config, one after the other."""
    from mmengine.dataset import Compose

    import mcjepa_mm.datasets  # noqa: F401  (registers them)
    from mcjepa_mm.registry import TRANSFORMS

    return Compose([TRANSFORMS.build(step) for step in steps])


def as_worker(
    load: Callable[[Any], Any], samples: Sequence, keep: Any = None
) -> Work:
    """Load the samples in one thread, as torch's workers do.

    ``keep`` lives as long: the folder of the files.
    """

    def work(_keep: Any = keep) -> None:
        threads = torch.get_num_threads(), cv2.getNumThreads()
        torch.set_num_threads(1)
        cv2.setNumThreads(0)
        try:
            for sample in samples:
                load(sample)
        finally:
            torch.set_num_threads(threads[0])
            cv2.setNumThreads(threads[1])

    return work
