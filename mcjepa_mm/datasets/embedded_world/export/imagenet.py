from pathlib import Path

from .images import write_image
from .scene_set import SceneSet


def imagenet(root: Path, scene_set: SceneSet) -> None:
    """ImageNet: pictures of one thing each, in a folder per class.

    As ILSVRC2012 when its validation pictures are sorted into folders:
    ``{train,val}/CLASS/CLASS_00000000.JPEG``, and the lists that older
    loaders read, ``meta/{train,val}.txt``, with a file and its label from 0 on
    each line. The folders' names sort as the labels do. A scene is a picture;
    they show the classes in turns, as the EmbeddedImages do.
    """
    (root / 'meta').mkdir()
    for split in ('train', 'val'):
        world = scene_set.world(split)
        lines = []
        for number in range(scene_set.num_scenes):
            label = number % world.num_classes
            name = folder(label, world.classes[label])
            file = f'{name}/{name}_{number:08d}.JPEG'
            image = world.object_image(number, label).frame(0)
            write_image(root / split / file, image)
            lines.append(f'{file} {label}\n')
        (root / 'meta' / f'{split}.txt').write_text(''.join(lines))


def folder(label: int, name: str) -> str:
    """Name of a class's folder: ``0_striped_disc``."""
    return f'{label}_{name.replace(" ", "_")}'
