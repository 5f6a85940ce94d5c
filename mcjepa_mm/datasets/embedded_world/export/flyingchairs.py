from pathlib import Path

from mcjepa_mm.datasets.flow_files import write_flow

from .images import write_image
from .scene_set import SceneSet


def flyingchairs(root: Path, scene_set: SceneSet) -> None:
    """FlyingChairs: unrelated pairs in one folder, and a list of splits.

    As in FlyingChairs_release: ``data/00001_img1.ppm``, ``_img2.ppm``,
    ``_flow.flo``, and ``FlyingChairs_train_val.txt`` with 1 (training) or 2
    (validation) for each pair, here in turns.
    """
    codes = []
    for code, split in ((1, 'train'), (2, 'val')):
        for number, scene in scene_set.scenes(split):
            stem = f'{2 * number + code:05d}'
            for t in (0, 1):
                write_image(
                    root / 'data' / f'{stem}_img{t + 1}.ppm', scene.frame(t)
                )
            write_flow(root / 'data' / f'{stem}_flow.flo', scene.flow(0, 1))
            codes.append((stem, code))
    lines = ''.join(f'{code}\n' for _, code in sorted(codes))
    (root / 'FlyingChairs_train_val.txt').write_text(lines)
