"""KITTI: flow of 2012 and 2015, also multi-view, and raw recordings."""

from functools import partial
from pathlib import Path

from mcjepa_mm.datasets.flow_files import write_flow

from ..scene import Scene
from .images import sparse, write_image
from .scene_set import SceneSet

_REFERENCE = 10  # number of the frame that has ground truth


def _benchmark(
    root: Path, scene_set: SceneSet, *, images: str, year: int
) -> None:
    """Frames up to 20 around the annotated pair, 10 and 11.

    As in data_stereo_flow and data_scene_flow: ``{training,testing}/IMAGES/
    000000_10.png`` and ``_11.png``, or ``_00`` to ``_20`` for 21 frames;
    ``training/{flow_occ,flow_noc}/000000_10.png``, sparse, ``flow_noc``
    without the occluded pixels; in 2015 also ``training/obj_map``, objects
    from 1. Frame 10 is the time 0, where the world is fastest.
    """
    first = _REFERENCE if scene_set.num_frames == 2 else 0
    for folder, split in (('training', 'train'), ('testing', 'test')):
        for number, scene in scene_set.scenes(split):
            for frame in range(first, first + scene_set.num_frames):
                name = f'{number:06d}_{frame:02d}.png'
                image = scene.frame(frame - _REFERENCE)
                write_image(root / folder / images / name, image)
    for number, scene in scene_set.scenes('train'):
        name = f'{number:06d}_{_REFERENCE}.png'
        _write_flows(root / 'training', name, scene_set, number, scene)
        if year == 2015:
            objects = scene.instance_mask(0)
            write_image(root / 'training' / 'obj_map' / name, objects)


def _write_flows(
    root: Path, name: str, scene_set: SceneSet, number: int, scene: Scene
) -> None:
    measured = sparse(scene_set.rng(number, _REFERENCE), scene_set.size)
    visible = measured & ~scene.occlusion(0, 1)
    for folder, valid in (('flow_occ', measured), ('flow_noc', visible)):
        (root / folder).mkdir(exist_ok=True)
        write_flow(root / folder / name, scene.flow(0, 1), valid)


kitti2012 = partial(_benchmark, images='colored_0', year=2012)
kitti2015 = partial(_benchmark, images='image_2', year=2015)


def kitti_raw(root: Path, scene_set: SceneSet) -> None:
    """KITTI's raw recordings, synchronised: frames of two cameras.

    ``2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000000.png``.
    Here the cameras show different scenes.
    """
    day = '2011_09_26'
    world = scene_set.world('train')
    for number in range(scene_set.num_scenes):
        drive = root / day / f'{day}_drive_{number + 1:04d}_sync'
        for view in (0, 1):
            scene = world.scene(2 * number + view)
            for t in range(scene_set.num_frames):
                name = f'image_{view + 2:02d}/data/{t:010d}.png'
                write_image(drive / name, scene.frame(t))
