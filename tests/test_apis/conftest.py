from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config

from mcjepa_mm.apis import FlowInferencer
from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.registry import MODELS

CONFIG = Path(__file__).parents[1] / 'toys' / 'toy_flow_config.py'


@pytest.fixture(scope='session')
def config():
    return CONFIG


@pytest.fixture(scope='session')
def frames():
    """Six frames (64, 96, 3) uint8 of one scene, BGR."""
    scene = EmbeddedWorld((64, 96)).scene(3)
    return [scene.frame(t)[..., ::-1].copy() for t in range(6)]


@pytest.fixture(scope='session')
def model():
    torch.manual_seed(0)
    return MODELS.build(Config.fromfile(CONFIG).model).eval()


@pytest.fixture
def inferencer(model):
    return FlowInferencer(model)


@pytest.fixture(scope='session')
def folder(frames, tmp_path_factory):
    """The frames as images f0.png ... f4.png and f10.png."""
    folder = tmp_path_factory.mktemp('clip')
    for i, frame in zip((0, 1, 2, 3, 4, 10), frames):
        assert cv2.imwrite(str(folder / f'f{i}.png'), frame)
    return folder


@pytest.fixture(scope='session')
def video(frames, tmp_path_factory):
    """The frames as a video of 12.5 frames a second."""
    path = tmp_path_factory.mktemp('video') / 'walk.mp4'
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*'mp4v'), 12.5, (96, 64)
    )
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path
