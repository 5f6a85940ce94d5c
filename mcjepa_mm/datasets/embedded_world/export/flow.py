"""Layouts of optical flow data sets."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mcjepa_mm.datasets.flow_files import write_flow
from mcjepa_mm.utils.image_file import write_image

from .scene_set import SceneSet

_FIRST_THING = 6  # number of the first frame in FlyingThings3D's archives
_KITTI_REFERENCE = 10  # number of KITTI's frame that has ground truth


def flyingchairs(root: Path, scene_set: SceneSet) -> None:
    """FlyingChairs: unrelated pairs in one folder, and a list of splits.

    As in FlyingChairs_release: ``data/00001_img1.ppm``, ``_img2.ppm``,
    ``_flow.flo``, and ``FlyingChairs_train_val.txt`` with 1 (training) or 2
    (validation) for each pair, here in turns.
    """
    for code, split in ((1, 'train'), (2, 'val')):
        for number, scene in scene_set.scenes(split):
            stem = f'data/{2 * number + code:05d}'
            for t in (0, 1):
                write_image(root / f'{stem}_img{t + 1}.ppm', scene.frame(t))
            write_flow(root / f'{stem}_flow.flo', scene.flow(0, 1))
    lines = '1\n2\n' * scene_set.num_scenes
    (root / 'FlyingChairs_train_val.txt').write_text(lines)


def flyingthings3d(root: Path, scene_set: SceneSet) -> None:
    """FlyingThings3D: two views, two passes, flow to both sides.

    Frames ``frames_{clean,final}pass/TRAIN/A/0000/left/0006.png`` and flow
    ``optical_flow/TRAIN/A/0000/into_future/left/
    OpticalFlowIntoFuture_0006_L.pfm``; every frame has both flows, the last
    one into a future that is not there. TEST is likewise. The two views show
    different scenes, so that mixing them up cannot go unseen.
    """
    for subset, split in (('TRAIN', 'train'), ('TEST', 'test')):
        world = scene_set.world(split)
        for index in range(2 * scene_set.num_scenes):
            scene = world.scene(index)
            clip = Path(subset, 'A', f'{index // 2:04d}')
            view = ('left', 'right')[index % 2]
            for t in range(scene_set.num_frames):
                frame = scene.frame(t)
                number = f'{_FIRST_THING + t:04d}'
                name = clip / view / f'{number}.png'
                write_image(root / 'frames_cleanpass' / name, frame)
                write_image(
                    root / 'frames_finalpass' / name, final_pass(frame)
                )
                for side, step in (('Future', 1), ('Past', -1)):
                    folder = clip / f'into_{side.lower()}' / view
                    flow = f'OpticalFlowInto{side}_{number}_{view[0].upper()}'
                    write_flow(
                        root / 'optical_flow' / folder / f'{flow}.pfm',
                        scene.flow(t, t + step),
                    )


def hd1k(root: Path, scene_set: SceneSet) -> None:
    """HD1K: sequences with sparse flow, and pairs without.

    As in hd1k_full_package: ``hd1k_input/image_2/000000_0000.png``,
    ``hd1k_flow_gt/flow_occ/000000_0000.png`` for every frame, the last one's
    into a frame that is not there, and ``hd1k_challenge/image_2/
    000000_10.png`` and ``_11.png``.
    """
    for number, scene, t in scene_set.frames('train'):
        name = f'{number:06d}_{t:04d}.png'
        write_image(root / 'hd1k_input/image_2' / name, scene.frame(t))
        write_flow(
            root / 'hd1k_flow_gt/flow_occ' / name,
            scene.flow(t, t + 1),
            _sparse(scene_set, number, t),
        )
    for number, scene in scene_set.scenes('test'):
        for t in (0, 1):
            name = f'{number:06d}_{10 + t}.png'
            write_image(root / 'hd1k_challenge/image_2' / name, scene.frame(t))


def sintel(root: Path, scene_set: SceneSet) -> None:
    """MPI Sintel: two passes, flow, masks of occluded and invalid pixels.

    As in MPI-Sintel-complete: ``training/{clean,final,invalid}/SCENE/
    frame_0001.png`` for every frame, ``training/flow/SCENE/frame_0001.flo``
    and ``training/occlusions/SCENE/frame_0001.png`` for all but the last,
    ``test/{clean,final}``. 255 is occluded, and 255 is invalid. The flow of
    invalid pixels is 0: whoever does not read the mask learns it wrong.
    """
    for split, folder in (
        ('train', root / 'training'),
        ('test', root / 'test'),
    ):
        for number, scene, t in scene_set.frames(split):
            frame = scene.frame(t)
            name = f'world_{number + 1}/frame_{t + 1:04d}.png'
            write_image(folder / 'clean' / name, frame)
            write_image(folder / 'final' / name, final_pass(frame))
            if split == 'test':
                continue
            invalid = _window(scene_set.rng(number, t), scene_set.size)
            _write_mask(folder / 'invalid' / name, invalid)
            if t + 1 < scene_set.num_frames:
                _write_mask(
                    folder / 'occlusions' / name, scene.occlusion(t, t + 1)
                )
                flow = np.where(invalid, 0, scene.flow(t, t + 1))
                write_flow((folder / 'flow' / name).with_suffix('.flo'), flow)


def _kitti(root: Path, scene_set: SceneSet, *, images: str, year: int) -> None:
    """KITTI's frames up to 20 around the annotated pair, 10 and 11.

    As in data_stereo_flow and data_scene_flow: ``{training,testing}/IMAGES/
    000000_10.png`` and ``_11.png``, or ``_00`` to ``_20`` for 21 frames;
    ``training/{flow_occ,flow_noc}/000000_10.png``, sparse, ``flow_noc``
    without the occluded pixels; in 2015 also ``training/obj_map``, objects
    from 1. Frame 10 is the time 0, where the world is fastest.
    """
    first = _KITTI_REFERENCE if scene_set.num_frames == 2 else 0
    for folder, split in (('training', 'train'), ('testing', 'test')):
        for number, scene, frame in scene_set.frames(split):
            name = f'{number:06d}_{first + frame:02d}.png'
            image = scene.frame(first + frame - _KITTI_REFERENCE)
            write_image(root / folder / images / name, image)
    for number, scene in scene_set.scenes('train'):
        name = f'{number:06d}_{_KITTI_REFERENCE}.png'
        flow = scene.flow(0, 1)
        measured = _sparse(scene_set, number, _KITTI_REFERENCE)
        visible = measured & ~scene.occlusion(0, 1)
        write_flow(root / 'training/flow_occ' / name, flow, measured)
        write_flow(root / 'training/flow_noc' / name, flow, visible)
        if year == 2015:
            objects = scene.instance_mask(0)
            write_image(root / 'training/obj_map' / name, objects)


kitti2012 = partial(_kitti, images='colored_0', year=2012)
kitti2015 = partial(_kitti, images='image_2', year=2015)


def kitti_raw(root: Path, scene_set: SceneSet) -> None:
    """KITTI's raw recordings, synchronised: frames of two cameras.

    ``2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000000.png``.
    Here the cameras show different scenes.
    """
    day = '2011_09_26'
    world = scene_set.world('train')
    for index in range(2 * scene_set.num_scenes):
        scene = world.scene(index)
        drive = root / day / f'{day}_drive_{index // 2 + 1:04d}_sync'
        for t in range(scene_set.num_frames):
            name = f'image_{index % 2 + 2:02d}/data/{t:010d}.png'
            write_image(drive / name, scene.frame(t))


def final_pass(image: np.ndarray) -> np.ndarray:
    """The 'final' rendering of a 'clean' frame: blurred and dimmed."""
    blurred = cv2.GaussianBlur(image, (0, 0), 1.0)
    return (0.8 * blurred + 10).astype(np.uint8)


def _sparse(scene_set: SceneSet, number: int, frame: int) -> np.ndarray:
    """Where a laser scanner would have measured: (H, W) bool, half."""
    return scene_set.rng(number, frame).random(scene_set.size) < 0.5


def _window(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A random window, 1/36 of the frame: (H, W) bool."""
    mask = np.zeros(size, bool)
    sides = [length // 6 for length in size]
    top, left = (rng.integers(0, n - side) for n, side in zip(size, sides))
    mask[top : top + sides[0], left : left + sides[1]] = True
    return mask


def _write_mask(path: Path, mask: np.ndarray) -> None:
    write_image(path, np.where(mask, 255, 0).astype(np.uint8))
