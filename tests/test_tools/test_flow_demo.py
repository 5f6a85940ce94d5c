from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config

from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.registry import MODELS

CONFIG = Path(__file__).parents[1] / 'toys' / 'toy_flow_config.py'


@pytest.fixture
def folder(tmp_path):
    """Four frames, and a checkpoint of the toy beside."""
    scene = EmbeddedWorld((64, 96)).scene(3)
    folder = tmp_path / 'clip'
    folder.mkdir()
    for t in range(4):
        assert cv2.imwrite(str(folder / f'{t}.png'), scene.frame(t))
    model = MODELS.build(Config.fromfile(CONFIG).model)
    torch.save(model.state_dict(), tmp_path / 'toy.pth')
    return folder


def files(folder):
    return sorted(
        str(x.relative_to(folder)) for x in folder.rglob('*') if x.is_file()
    )


@pytest.mark.slow
def test_a_folder_and_a_pair(command, command_here, folder, tmp_path):
    done = command(
        'flow_demo',
        *(CONFIG, 'toy.pth', folder, '--out', 'out', '--device', 'cpu'),
        *('--save', 'video', 'occ', '--bidirectional', '--frames', 3),
        *('--scale', 0.5, '--batch-size', 2, '--max-flow', 4, '--fps', 5),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'out: flow of 2 pairs as video, occ'
    assert files(tmp_path / 'out') == [
        'clip_flow.mp4',
        'occ/0.png',
        'occ/1.png',
        'occ_bw/0.png',
        'occ_bw/1.png',
    ]
    capture = cv2.VideoCapture(str(tmp_path / 'out' / 'clip_flow.mp4'))
    assert capture.get(cv2.CAP_PROP_FPS) == 5

    pair = [folder / '1.png', folder / '3.png']
    done = command_here('flow_demo', CONFIG, 'toy.pth', *pair, '--out', 'pair')
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / 'pair') == ['color/1.png', 'flo/1.flo']
