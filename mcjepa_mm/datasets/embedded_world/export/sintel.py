from pathlib import Path

import numpy as np

from mcjepa_mm.datasets.flow_files import write_flow

from .images import final_pass, write_image, write_mask
from .scene_set import SceneSet


def sintel(root: Path, scene_set: SceneSet) -> None:
    """MPI Sintel: two passes, flow, masks of occluded and invalid pixels.

    As in MPI-Sintel-complete: ``training/{clean,final,invalid}/SCENE/
    frame_0001.png`` for every frame, ``training/flow/SCENE/frame_0001.flo``
    and ``training/occlusions/SCENE/frame_0001.png`` for all but the last,
    ``test/{clean,final}``. 255 is occluded, and 255 is invalid. The flow of
    invalid pixels is 0: whoever does not read the mask learns it wrong.
    """
    for folder, split in (('training', 'train'), ('test', 'test')):
        for number, scene in scene_set.scenes(split):
            for t in range(scene_set.num_frames):
                frame = scene.frame(t)
                name = f'world_{number + 1}/frame_{t + 1:04d}.png'
                write_image(root / folder / 'clean' / name, frame)
                write_image(root / folder / 'final' / name, final_pass(frame))
    for number, scene in scene_set.scenes('train'):
        for t in range(scene_set.num_frames):
            name = f'world_{number + 1}/frame_{t + 1:04d}.png'
            invalid = _patch(scene_set.rng(number, t), scene_set.size)
            write_mask(root / 'training' / 'invalid' / name, invalid)
            if t + 1 == scene_set.num_frames:
                continue
            occluded = scene.occlusion(t, t + 1)
            write_mask(root / 'training' / 'occlusions' / name, occluded)
            path = (root / 'training' / 'flow' / name).with_suffix('.flo')
            path.parent.mkdir(parents=True, exist_ok=True)
            write_flow(path, np.where(invalid, 0, scene.flow(t, t + 1)))


def _patch(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A random window, 1/36 of the frame: (H, W) bool."""
    mask = np.zeros(size, bool)
    sides = [length // 6 for length in size]
    top, left = (rng.integers(0, n - side) for n, side in zip(size, sides))
    mask[top : top + sides[0], left : left + sides[1]] = True
    return mask
