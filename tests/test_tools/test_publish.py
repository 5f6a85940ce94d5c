import pytest
import torch

from mcjepa_mm.models.backbones import MCJEPAConvNeXt


@pytest.mark.slow
def test_publish(command, command_here, tmp_path):
    weights = MCJEPAConvNeXt('atto').state_dict()
    torch.save(weights, tmp_path / 'mine.pth')
    done = command('publish', 'mine.pth', '--out', 'shared/', '--safetensors')
    assert done.returncode == 0, done.stderr
    [path] = (tmp_path / 'shared').iterdir()
    assert done.stdout == f"shared/{path.name}: MCJEPAConvNeXt(arch='atto')\n"
    # not twice
    done = command_here(
        'publish', 'mine.pth', '--out', 'shared/', '--safetensors'
    )
    assert done.returncode == 1
    assert f'shared/{path.name}' in done.stderr.splitlines()[-1]
