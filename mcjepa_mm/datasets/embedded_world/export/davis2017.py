from pathlib import Path

from ..first_frame_objects import masked_scene
from .images import write_image, write_indexed
from .scene_set import SceneSet


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
    lists = base / 'ImageSets' / '2017'
    lists.mkdir(parents=True)
    for split in ('train', 'val'):
        world = scene_set.world(split)
        names = []
        for number in range(scene_set.num_scenes):
            name = f'world_{split}_{number + 1}'
            names.append(name)
            clip = masked_scene(world, number)
            for t in range(scene_set.num_frames):
                write_image(
                    base / 'JPEGImages' / '480p' / name / f'{t:05d}.jpg',
                    clip.scene.frame(t),
                )
                write_indexed(
                    base / 'Annotations' / '480p' / name / f'{t:05d}.png',
                    clip.mask(t),
                )
        lines = ''.join(f'{name}\n' for name in names)
        (lists / f'{split}.txt').write_text(lines)
