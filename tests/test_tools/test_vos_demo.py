import cv2
import numpy as np
import pytest
import torch

from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.models.backbones import MCJEPAConvNeXt
from mcjepa_mm.utils.image_file import (
    pascal_palette,
    write_image,
    write_label_map,
)

ARCH = dict(depths=(1, 1, 1, 1), channels=(4, 8, 12, 16))


@pytest.fixture
def clip(tmp_path):
    """Three frames, the first mask, and a checkpoint beside."""
    scene = EmbeddedWorld((64, 96)).scene(3)
    for t in range(3):
        write_image(tmp_path / 'clip' / f'{t}.png', scene.frame(t))
    mask = scene.instance_mask(0)
    write_label_map(tmp_path / 'first.png', mask, pascal_palette())
    encoder = MCJEPAConvNeXt(ARCH)
    state = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'toy.pth')
    return tmp_path


def files(folder):
    return sorted(
        str(x.relative_to(folder)) for x in folder.rglob('*') if x.is_file()
    )


@pytest.mark.slow
def test_a_folder_and_options(command, clip):
    done = command(
        'vos_demo',
        *('clip', 'first.png', '--checkpoint', 'toy.pth', '--out', 'out'),
        *('--stride', 4, '--levels', 'all', '--short-side', 128),
        *('--context-frames', 1, '--radius', 3, '--topk', 2),
        *('--temperature', 0.2, '--max-memory', 16, '--dtype', 'bfloat16'),
        *('--whiten', 'first_frame', '--shrinkage', 0.01),
        *('--opacity', 0.8, '--fps', 5, '--frames', 2, '--device', 'cpu'),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'out: objects of 2 frames'
    assert files(clip / 'out') == [
        *('masks/clip/0.png', 'masks/clip/1.png', 'overlays/clip.mp4')
    ]
    capture = cv2.VideoCapture(str(clip / 'out' / 'overlays' / 'clip.mp4'))
    assert capture.get(cv2.CAP_PROP_FPS) == 5
    frame = capture.read()[1]
    assert frame.shape == (64, 96, 3) and np.ptp(frame) > 0
