from collections.abc import Iterator
from pathlib import Path

from ..scene import Scene
from .images import outlined, write_image, write_indexed
from .scene_set import SceneSet


def voc2012_aug(root: Path, scene_set: SceneSet) -> None:
    """Pascal VOC 2012 with the additional annotations of SBD.

    As VOCtrainval_11-May-2012 and mmsegmentation's converter of SBD leave
    it, below ``VOCdevkit/VOC2012``: ``JPEGImages/2012_000001.jpg``,
    ``SegmentationClass/2012_000001.png``, where 255 is the outline of
    objects, ``SegmentationClassAug``, without an outline, and ``ImageSets/
    Segmentation/{train,val,trainval,aug,trainaug}.txt``. Pictures of ``aug``
    are in SegmentationClassAug only. Classes: those of the embedded world,
    background 0.
    """
    base = root / 'VOCdevkit' / 'VOC2012'
    names = dict(train=[], aug=[], val=[])
    for split, scene in _scenes(scene_set):
        for t in range(scene_set.num_frames):
            name = f'2012_{sum(map(len, names.values())) + 1:06d}'
            names[split].append(name)
            write_image(base / 'JPEGImages' / f'{name}.jpg', scene.frame(t))
            labels = scene.class_mask(t)
            write_indexed(
                base / 'SegmentationClassAug' / f'{name}.png', labels
            )
            if split != 'aug':
                labels = outlined(labels, scene.instance_mask(t))
                write_indexed(
                    base / 'SegmentationClass' / f'{name}.png', labels
                )
    names['trainval'] = names['train'] + names['val']
    names['trainaug'] = names['train'] + names['aug']
    lists = base / 'ImageSets' / 'Segmentation'
    lists.mkdir(parents=True)
    for split, found in names.items():
        lines = ''.join(f'{name}\n' for name in found)
        (lists / f'{split}.txt').write_text(lines)


def _scenes(scene_set: SceneSet) -> Iterator[tuple[str, Scene]]:
    for _, scene in scene_set.scenes('train'):
        yield 'train', scene
    world = scene_set.world('train')
    for number in range(scene_set.num_scenes):
        yield 'aug', world.scene(scene_set.num_scenes + number)
    for _, scene in scene_set.scenes('val'):
        yield 'val', scene
