import numpy as np
import pytest
import torch

from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.models import MCJEPAConvNeXt
from mcjepa_mm.utils.image_file import write_image


@pytest.mark.slow
def test_a_folder(command, tmp_path):
    world = EmbeddedWorld((64, 96))
    for i in range(2):
        write_image(tmp_path / 'in' / f'{i}.png', world.scene(i).frame(0))
    arch = dict(depths=(1, 1, 1, 1), channels=(4, 6, 8, 10))
    torch.save(MCJEPAConvNeXt(arch).state_dict(), tmp_path / 'toy.pth')
    done = command(
        'embed',
        *('in', '--weights', 'toy.pth', '--level', 4, '--device', 'cpu'),
        *('--to', 'out/a.npy', '--sheet', 'out/a.png'),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'out/a.npy: 2 x 8, of 2 images'
    assert np.load(tmp_path / 'out/a.npy').shape == (2, 8)
    names = ['a.names.json', 'a.npy', 'a.png']
    assert sorted(x.name for x in (tmp_path / 'out').iterdir()) == names
