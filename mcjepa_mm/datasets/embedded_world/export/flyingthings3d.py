from pathlib import Path

from mcjepa_mm.datasets.flow_files import write_flow

from ..scene import Scene
from .images import final_pass, write_image
from .scene_set import SceneSet

_FIRST = 6  # number of the first frame in the archives


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
        for number in range(scene_set.num_scenes):
            clip = Path(subset, 'A', f'{number:04d}')
            for view, name in enumerate(('left', 'right')):
                scene = world.scene(2 * number + view)
                _write_view(root, clip, name, scene, scene_set.num_frames)


def _write_view(
    root: Path, clip: Path, view: str, scene: Scene, num_frames: int
) -> None:
    for t in range(num_frames):
        frame = scene.frame(t)
        number = f'{_FIRST + t:04d}'
        name = Path(clip, view, f'{number}.png')
        write_image(root / 'frames_cleanpass' / name, frame)
        write_image(root / 'frames_finalpass' / name, final_pass(frame))
        for direction, step in (('Future', 1), ('Past', -1)):
            name = f'OpticalFlowInto{direction}_{number}_{view[0].upper()}.pfm'
            folder = f'into_{direction.lower()}'
            path = root / 'optical_flow' / clip / folder / view / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_flow(path, scene.flow(t, t + step))
