"""Commands with weights of the package in place of a file."""

import cv2
import numpy as np
import pytest

from mcjepa_mm.datasets.embedded_world import EmbeddedWorld


@pytest.fixture
def clip(tmp_path):
    """Two frames, in a folder and as a video, and a mask."""
    folder = tmp_path / 'clip'
    folder.mkdir()
    video = cv2.VideoWriter(
        str(tmp_path / 'walk.mp4'),
        cv2.VideoWriter_fourcc(*'mp4v'),
        10,
        (96, 64),
    )
    scene = EmbeddedWorld((64, 96)).scene(3)
    for t in range(2):
        frame = np.ascontiguousarray(scene.frame(t)[..., ::-1])
        assert cv2.imwrite(str(folder / f'{t}.png'), frame)
        video.write(frame)
    video.release()
    mask = np.zeros((64, 96), np.uint8)
    mask[20:40, 30:60] = 1
    assert cv2.imwrite(str(tmp_path / 'mask.png'), mask)
    return folder


CPU = ('--device', 'cpu')
COMMANDS = {
    'flow_demo': (('walk.mp4', '--out', 'out', *CPU), 'out/flo'),
    'flow_demo by a config': (
        ('mcjepa_convnext', 'micro', 'walk.mp4', '--out', 'out', *CPU),
        'out/flo',
    ),
    'vos_demo': (
        ('clip', 'mask.png', '--short-side', 64, '--out', 'out', *CPU),
        'out/masks/clip/1.png',
    ),
    'feature_maps': (('micro', 'clip', '--out', 'out', *CPU), 'out/1.png'),
    'diagnose': (
        ('micro', '--num-images', 32, '--size', 64, *CPU),
        'diagnosis/diagnosis.json',
    ),
    'publish': (('micro', '--safetensors', '--out', 'out/'), 'out'),
    'convert_keys': (('micro', '--to', 'timm', '--out', 'a.pth'), 'a.pth'),
}


@pytest.mark.parametrize('name', COMMANDS)
def test_by_name(command_here, clip, tmp_path, name):
    words, written = COMMANDS[name]
    done = command_here(name.split()[0], *words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / written).exists()


@pytest.mark.parametrize(
    'name, words',
    [
        ('flow_demo', ('clip', '--weights', 'micr', '--out', 'out')),
        ('vos_demo', ('clip', 'mask.png', '--checkpoint', 'micr', '--out=o')),
        ('feature_maps', ('micr', 'clip', '--out', 'out')),
        ('diagnose', ('micr',)),
        ('publish', ('micr',)),
        ('evaluate', ('mcjepa_convnext', 'micr')),
        ('test', ('mcjepa-flow_convnext-micro_embedded', 'micr')),
    ],
)
def test_an_unknown_name_lists_the_known(
    command_here, clip, tmp_path, name, words
):
    done = command_here(name, *words)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "'micr'" in last and 'mcjepa-convnext-micro' in last
    assert not (tmp_path / 'out').exists()
