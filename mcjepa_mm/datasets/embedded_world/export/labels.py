"""Layouts of data sets with classes or objects."""

from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from mcjepa_mm.utils.image_file import (
    pascal_palette,
    write_image,
    write_label_map,
)

from ..first_frame_objects import masked_scene
from ..scene import Scene
from .scene_set import SceneSet

VOID = 255
"""Label of the pixels that count for nothing."""

# fmt: off
_CITYSCAPES_IDS = (
    7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33
)
# fmt: on
_CITIES = dict(train='aachen', val='frankfurt', test='berlin')
_CITYSCAPES_FIRST = 19  # the annotated frame of the data set's clips


def ade20k(root: Path, scene_set: SceneSet) -> None:
    """ADE20K, the scene parsing benchmark.

    As in ADEChallengeData2016: ``images/training/ADE_train_00000001.jpg``,
    ``annotations/training/ADE_train_00000001.png``, ``validation`` likewise.
    Label 0 is what nobody labelled, here the outlines of objects; classes
    count from 1, the embedded world's background is the first.
    """
    base = root / 'ADEChallengeData2016'
    for folder, split in (('training', 'train'), ('validation', 'val')):
        for i, (_, scene, t) in enumerate(scene_set.frames(split), 1):
            stem = f'{folder}/ADE_{split}_{i:08d}'
            write_image(base / 'images' / f'{stem}.jpg', scene.frame(t))
            labels = _outlined(scene, t)
            labels = np.where(labels == VOID, 0, labels + np.uint8(1))
            write_image(base / 'annotations' / f'{stem}.png', labels)


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
    table[: len(_CITYSCAPES_IDS)] = _CITYSCAPES_IDS
    for split, city in _CITIES.items():
        for number, scene, t in scene_set.frames(split):
            frame = f'{number:06d}_{_CITYSCAPES_FIRST + t:06d}'
            stem = f'{split}/{city}/{city}_{frame}'
            path = root / 'leftImg8bit' / f'{stem}_leftImg8bit.png'
            write_image(path, scene.frame(t))
            labels = _outlined(scene, t)
            if split == 'test':
                labels = np.full_like(labels, VOID)
            for kind, ids in (('Train', labels), ('', table[labels])):
                name = f'{stem}_gtFine_label{kind}Ids.png'
                write_image(root / 'gtFine' / name, ids)


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
    names: dict[str, list[str]] = dict(train=[], aug=[], val=[])
    scenes = chain(
        (('train', x) for _, x in scene_set.scenes('train')),
        (
            ('aug', x)
            for _, x in scene_set.scenes('train', scene_set.num_scenes)
        ),
        (('val', x) for _, x in scene_set.scenes('val')),
    )
    for split, scene in scenes:
        for t in range(scene_set.num_frames):
            name = f'2012_{sum(map(len, names.values())) + 1:06d}'
            names[split].append(name)
            write_image(base / 'JPEGImages' / f'{name}.jpg', scene.frame(t))
            maps = dict(SegmentationClassAug=scene.class_mask(t))
            if split != 'aug':
                maps['SegmentationClass'] = _outlined(scene, t)
            for folder, labels in maps.items():
                _write_indexed(base / folder / f'{name}.png', labels)
    names['trainval'] = names['train'] + names['val']
    names['trainaug'] = names['train'] + names['aug']
    _write_lists(base / 'ImageSets' / 'Segmentation', names)


def davis2017(root: Path, scene_set: SceneSet) -> None:
    """DAVIS 2017: clips with masks of several objects, train and val.

    As in DAVIS-2017-trainval-480p, below ``DAVIS``:
    ``JPEGImages/480p/world_train_1/00000.jpg``, ``Annotations/480p/
    world_train_1/00000.png``, with a palette, ``ImageSets/2017/
    {train,val}.txt`` with the names of sequences. As there, objects that the
    first frame does not show belong to the background. '480p' is the name of
    the folder: frames have the scenes' own size. From one frame to the next
    is one unit of the world's time.
    """
    base = root / 'DAVIS'
    names: dict[str, list[str]] = dict(train=[], val=[])
    for split, clips in names.items():
        world = scene_set.world(split)
        for number in range(scene_set.num_scenes):
            clips.append(f'world_{split}_{number + 1}')
            clip = masked_scene(world, number)
            for t in range(scene_set.num_frames):
                stem = f'480p/{clips[-1]}/{t:05d}'
                frame = clip.scene.frame(t)
                write_image(base / 'JPEGImages' / f'{stem}.jpg', frame)
                _write_indexed(
                    base / 'Annotations' / f'{stem}.png', clip.mask(t)
                )
    _write_lists(base / 'ImageSets' / '2017', names)


def imagenet(root: Path, scene_set: SceneSet) -> None:
    """ImageNet: images of one object each, in a folder per class.

    As ILSVRC2012 when its validation pictures are sorted into folders:
    ``{train,val}/CLASS/CLASS_00000000.JPEG``, and the lists that older
    loaders read, ``meta/{train,val}.txt``, with a file and its label from 0 on
    each line. The folders' names, such as ``0_striped_disc``, sort as the
    labels do. A scene is a picture; they show the classes in turns, as the
    EmbeddedImages do.
    """
    lines: dict[str, list[str]] = dict(train=[], val=[])
    for split, found in lines.items():
        world = scene_set.world(split)
        for number in range(scene_set.num_scenes):
            label = number % world.num_classes
            name = f'{label}_{world.classes[label].replace(" ", "_")}'
            file = f'{name}/{name}_{number:08d}.JPEG'
            image = world.object_image(number, label).frame(0)
            write_image(root / split / file, image)
            found.append(f'{file} {label}')
    _write_lists(root / 'meta', lines)


def _outlined(scene: Scene, t: int) -> np.ndarray:
    """Classes, but ``VOID`` where a pixel touches another instance.

    The line, two pixels wide, is what an annotator leaves undecided.
    """
    around = np.ones((3, 3), np.uint8)
    instances = scene.instance_mask(t)
    # Both sides of the picture's edge are the same instance.
    border = dict(borderType=cv2.BORDER_REPLICATE)
    highest = cv2.dilate(instances, around, **border)
    lowest = cv2.erode(instances, around, **border)
    labels = scene.class_mask(t)
    return np.where(highest == lowest, labels, VOID).astype(np.uint8)


def _write_indexed(path: Path, labels: np.ndarray) -> None:
    write_label_map(path, labels, pascal_palette())


def _write_lists(folder: Path, lists: dict[str, list[str]]) -> None:
    folder.mkdir(parents=True)
    for name, lines in lists.items():
        text = ''.join(f'{line}\n' for line in lines)
        (folder / f'{name}.txt').write_text(text)
