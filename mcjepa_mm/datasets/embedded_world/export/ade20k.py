from pathlib import Path

import numpy as np

from .images import VOID, outlined, write_image
from .scene_set import SceneSet


def ade20k(root: Path, scene_set: SceneSet) -> None:
    """ADE20K, the scene parsing benchmark.

    As in ADEChallengeData2016: ``images/training/ADE_train_00000001.jpg``,
    ``annotations/training/ADE_train_00000001.png``, ``validation`` likewise.
    Label 0 is what nobody labelled, here the outlines of objects; classes
    count from 1, the embedded world's background is the first.
    """
    base = root / 'ADEChallengeData2016'
    for folder, split in (('training', 'train'), ('validation', 'val')):
        number = 0
        for _, scene in scene_set.scenes(split):
            for t in range(scene_set.num_frames):
                number += 1
                name = f'ADE_{split}_{number:08d}'
                write_image(
                    base / 'images' / folder / f'{name}.jpg', scene.frame(t)
                )
                labels = outlined(scene.class_mask(t), scene.instance_mask(t))
                labels = np.where(labels == VOID, 0, labels + np.uint8(1))
                write_image(
                    base / 'annotations' / folder / f'{name}.png', labels
                )
