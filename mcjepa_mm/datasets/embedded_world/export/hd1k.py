from pathlib import Path

from mcjepa_mm.datasets.flow_files import write_flow

from .images import sparse, write_image
from .scene_set import SceneSet


def hd1k(root: Path, scene_set: SceneSet) -> None:
    """HD1K: sequences with sparse flow, and pairs without.

    As in hd1k_full_package: ``hd1k_input/image_2/000000_0000.png``,
    ``hd1k_flow_gt/flow_occ/000000_0000.png`` for every frame, the last one's
    into a frame that is not there, and ``hd1k_challenge/image_2/
    000000_10.png`` and ``_11.png``.
    """
    flows = root / 'hd1k_flow_gt' / 'flow_occ'
    flows.mkdir(parents=True)
    for number, scene in scene_set.scenes('train'):
        for t in range(scene_set.num_frames):
            name = f'{number:06d}_{t:04d}.png'
            write_image(root / 'hd1k_input/image_2' / name, scene.frame(t))
            valid = sparse(scene_set.rng(number, t), scene_set.size)
            write_flow(flows / name, scene.flow(t, t + 1), valid)
    for number, scene in scene_set.scenes('test'):
        for t in (0, 1):
            name = f'{number:06d}_{10 + t}.png'
            write_image(root / 'hd1k_challenge/image_2' / name, scene.frame(t))
