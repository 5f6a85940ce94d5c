import pytest
import torch

from mcjepa_mm.datasets.embedded_world.export import export
from mcjepa_mm.models.backbones import MCJEPAConvNeXt

SCRIPT = 'tools/analysis_tools/linear_classification.py'


@pytest.fixture
def tool(run, repo, tmp_path):
    return lambda *words: run('python', repo / SCRIPT, *words, cwd=tmp_path)


@pytest.fixture
def tool_here(run_here, repo, tmp_path):
    """The same in this process."""
    return lambda *words: run_here(repo / SCRIPT, *words, cwd=tmp_path)


def test_missing_data_is_one_line(tool):
    done = tool('epoch_1.pth', '--data', 'nowhere')
    assert done.returncode == 1
    assert done.stderr == (
        'nowhere holds no train/; write it first: mim run mcjepa_mm '
        'export_embedded_world imagenet nowhere --num-scenes 2000 '
        '--size 96 96\n'
    )


@pytest.mark.slow
def test_prints_a_row_for_every_encoder(tool, tool_here, tmp_path):
    export('imagenet', tmp_path / 'data', num_scenes=32, size=(64, 64))
    arch = dict(depths=(1, 1, 1, 1), channels=(8, 16, 24, 32))
    encoder = MCJEPAConvNeXt(arch, layer_scale_init_value=0.0)
    state = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'epoch_1.pth')
    done = tool('epoch_1.pth', '--data', 'data', '--untrained', 1)
    assert done.returncode == 0, done.stderr
    head, _, *rows = done.stdout.splitlines()
    assert 'linear top-1 (%)' in head and 'kNN top-1 (%)' in head
    names = [row.split('|')[1].strip() for row in rows]
    assert names == ['epoch_1.pth', 'untrained, seed 0']
    for row in rows:
        assert all(0 <= float(x) <= 100 for x in row.split('|')[2:4])
    done = tool_here('no.pth', '--data', 'data')
    assert done.returncode == 1
    assert done.stderr.endswith("there is no checkpoint 'no.pth'\n")
