import pytest
import torch

from mcjepa_mm.datasets.embedded_world.export import export
from mcjepa_mm.models.backbones import MCJEPAConvNeXt


@pytest.mark.slow
def test_prints_a_row_for_every_encoder(command, command_here, tmp_path):
    export('imagenet', tmp_path / 'data', num_scenes=32, size=(64, 64))
    arch = dict(depths=(1, 1, 1, 1), channels=(8, 16, 24, 32))
    encoder = MCJEPAConvNeXt(arch, layer_scale_init_value=0.0)
    state = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'epoch_1.pth')
    done = command(
        'linear_classification',
        'epoch_1.pth',
        '--data',
        'data',
        '--untrained',
        1,
    )
    assert done.returncode == 0, done.stderr
    head, _, *rows = done.stdout.splitlines()
    assert 'linear top-1 (%)' in head and 'kNN top-1 (%)' in head
    names = [row.split('|')[1].strip() for row in rows]
    assert names == ['epoch_1.pth', 'untrained, seed 0']
    for row in rows:
        assert all(0 <= float(x) <= 100 for x in row.split('|')[2:4])
    done = command_here('linear_classification', 'no.pth', '--data', 'data')
    assert done.returncode == 1
    assert 'no.pth' in done.stderr.splitlines()[-1]
