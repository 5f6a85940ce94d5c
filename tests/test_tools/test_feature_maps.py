import pytest
import torch

from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.models import MCJEPAConvNeXt
from mcjepa_mm.utils.image_file import write_image


@pytest.fixture
def images(tmp_path):
    """Two images, and a checkpoint of the backbone beside."""
    world = EmbeddedWorld((64, 96))
    for i in range(2):
        write_image(tmp_path / 'in' / f'{i}.png', world.scene(i).frame(0))
    arch = dict(depths=(1, 1, 1, 1), channels=(4, 6, 8, 10))
    torch.save(MCJEPAConvNeXt(arch).state_dict(), tmp_path / 'toy.pth')
    return tmp_path / 'in'


@pytest.mark.slow
def test_a_folder_and_a_file(command, images, tmp_path):
    done = command(
        'feature_maps',
        *('toy.pth', 'in', 'in/1.png', '--out', 'out', '--device', 'cpu'),
        *('--size', 48, '--strides', *'221222', '--shared', '--untrained'),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'out: feature maps of 3 images'
    names = ['000000_0.png', '000001_1.png', '000002_1.png']
    assert sorted(x.name for x in (tmp_path / 'out').iterdir()) == names
