from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.registry import MODELS
from mcjepa_mm.utils.image_file import write_image

CONFIG = Path(__file__).parents[1] / 'toys' / 'toy_segmentation_config.py'


@pytest.fixture
def images(tmp_path):
    """Two images, and a checkpoint of the toy beside."""
    world = EmbeddedWorld((64, 96))
    for i in range(2):
        write_image(tmp_path / 'in' / f'{i}.png', world.scene(i).frame(0))
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(Config.fromfile(CONFIG).model)
    torch.save(model.state_dict(), tmp_path / 'toy.pth')
    return tmp_path / 'in'


@pytest.mark.slow
def test_a_folder_and_options(command, images, tmp_path):
    done = command(
        'segmentation_demo',
        *(CONFIG, 'toy.pth', 'in', '--out', 'out', '--device', 'cpu'),
        *('--opacity', 0.8, '--names'),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'out: classes of 2 images'
    files = [x for x in (tmp_path / 'out').rglob('*') if x.is_file()]
    assert sorted(str(x.relative_to(tmp_path / 'out')) for x in files) == [
        *('mask/0.png', 'mask/1.png', 'overlay/0.png', 'overlay/1.png')
    ]
