from pathlib import Path

import numpy as np

from .images import VOID, outlined, write_image
from .scene_set import SceneSet

# fmt: off
_LABEL_IDS = (
    7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33
)
# fmt: on
_SPLITS = dict(train='aachen', val='frankfurt', test='berlin')
_FIRST = 19  # the annotated frame of the data set's clips


def cityscapes(root: Path, scene_set: SceneSet) -> None:
    """Cityscapes with fine annotations, one city for each split.

    As leftImg8bit_trainvaltest, gtFine_trainvaltest and cityscapesScripts
    leave it: ``leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png``
    and, in ``gtFine``, ``_gtFine_labelIds.png`` and
    ``_gtFine_labelTrainIds.png``. The embedded world's background is the
    first class, train id 0; outlines of objects are void, train id 255 and
    label id 0, and so is all of the test split.
    """
    table = np.zeros(256, np.uint8)
    table[: len(_LABEL_IDS)] = _LABEL_IDS
    for split, city in _SPLITS.items():
        for number, scene in scene_set.scenes(split):
            for t in range(scene_set.num_frames):
                stem = f'{split}/{city}/{city}_{number:06d}_{_FIRST + t:06d}'
                write_image(
                    root / 'leftImg8bit' / f'{stem}_leftImg8bit.png',
                    scene.frame(t),
                )
                labels = outlined(scene.class_mask(t), scene.instance_mask(t))
                if split == 'test':
                    labels = np.full_like(labels, VOID)
                stem = root / 'gtFine' / stem
                for kind, ids in (('Train', labels), ('', table[labels])):
                    path = stem.with_name(
                        f'{stem.name}_gtFine_label{kind}Ids.png'
                    )
                    write_image(path, ids)
