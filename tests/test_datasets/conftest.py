"""Small videos, folders of frames and images, with known content."""

import shutil

import cv2
import numpy as np
import pytest
from mmengine.registry import DefaultScope, init_default_scope
from PIL import Image

from mcjepa_mm.datasets.embedded_world.export import LAYOUTS, SceneSet, export


@pytest.fixture
def picture():
    """Function of a number: a smooth picture (H, W, 3) uint8, RGB.

    Its mean red is 10 times the number, so that a frame that went through a
    codec still tells which one it is.
    """

    def make(number: int, size=(72, 96)) -> np.ndarray:
        rng = np.random.default_rng(number)
        coarse = rng.uniform(60, 200, (6, 8, 3)).astype(np.float32)
        image = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
        image[..., 0] = 10 * number
        return np.clip(image, 0, 255).astype(np.uint8)

    return make


@pytest.fixture
def number():
    """Function of an RGB image: which picture it is."""
    return lambda image: round(image[..., 0].mean() / 10)


@pytest.fixture
def write_image(picture):
    """Function that writes picture ``number`` to a path and returns it."""

    def write(path, number, size=(72, 96)):
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), picture(number, size)[..., ::-1])
        return path

    return write


@pytest.fixture
def write_video(picture):
    """Function that writes pictures 0 to ``frames`` - 1 as a video."""

    def write(path, frames, size=(72, 96), codec='XVID'):
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = cv2.VideoWriter(
            str(path), cv2.VideoWriter_fourcc(*codec), 25, size[::-1]
        )
        assert writer.isOpened()
        for number in range(frames):
            writer.write(picture(number, size)[..., ::-1].copy())
        writer.release()
        return path

    return write


@pytest.fixture
def write_mask():
    """Function that writes labels as a mask with a palette."""

    def write(path, labels):
        path.parent.mkdir(parents=True, exist_ok=True)
        mask = Image.fromarray(np.asarray(labels, np.uint8))
        mask.putpalette([*range(256)] * 3)
        mask.save(path)
        return path

    return write


@pytest.fixture
def truncate():
    """Function that cuts a file to a share of its length."""

    def cut(path, share=0.5):
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        return path

    return cut


@pytest.fixture(scope='session')
def exported(tmp_path_factory):
    """Function of a layout: its folder, and the stage that was written."""
    done = {}

    def get(name):
        if name not in done:
            layout = LAYOUTS[name]
            frames = layout.num_frames if layout.fixed else 4
            scene_set = SceneSet(2, frames, (96, 128), seed=5)
            root = tmp_path_factory.mktemp('exported') / name
            export(
                name,
                root,
                num_scenes=2,
                num_frames=frames,
                size=(96, 128),
                seed=5,
            )
            done[name] = root, scene_set
        return done[name]

    return get


@pytest.fixture
def copy(exported, tmp_path):
    """Function of a layout: a copy that a test may damage."""

    def make(layout, name='copy'):
        return shutil.copytree(exported(layout)[0], tmp_path / name)

    return make


@pytest.fixture
def default_scope(monkeypatch):
    """As in a run of this package; gone afterwards."""
    monkeypatch.setattr(
        DefaultScope, '_instance_dict', DefaultScope._instance_dict.copy()
    )
    init_default_scope('mcjepa_mm')
