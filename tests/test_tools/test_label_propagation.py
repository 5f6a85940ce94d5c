import pytest
import torch

from mcjepa_mm.models.backbones import MCJEPAConvNeXt

SCRIPT = 'tools/analysis_tools/label_propagation.py'
ARCH = dict(depths=(1, 1, 2, 1), channels=(8, 12, 16, 20))


@pytest.fixture
def tool(run, repo, tmp_path):
    return lambda *words: run('python', repo / SCRIPT, *words, cwd=tmp_path)


@pytest.fixture
def tool_here(run_here, repo, tmp_path):
    """The same in this process."""
    return lambda *words: run_here(repo / SCRIPT, *words, cwd=tmp_path)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    encoder = MCJEPAConvNeXt(ARCH, layer_scale_init_value=0.0)
    encoder.init_weights()
    state = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    path = tmp_path_factory.mktemp('run') / 'epoch_1.pth'
    torch.save(dict(state_dict=state), path)
    return path


@pytest.mark.slow
def test_measures_encoders_and_what_stands_beside_them(
    tool, checkpoint, tmp_path
):
    """On clips as small as they may be, in the config's own setting."""
    done = tool(
        checkpoint,
        '--out',
        'tables/one.md',
        '--num-scenes',
        1,
        '--num-frames',
        4,
        '--seeds',
        1,
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / 'tables' / 'one.md').read_text()
    assert done.stdout.endswith(f'\nIn per cent\n\n{text}\n')
    head, rule, *rows = text.splitlines()
    assert head == '| features | J&F | J | F |'
    assert len(rule.split('|')) == len(head.split('|'))
    rows = [row.strip('| ').split(' | ') for row in rows]
    found = {name: list(map(float, row)) for name, *row in rows}
    assert list(found) == [
        str(checkpoint),
        'random, seed 0',
        'colours of the cells',
        'the first mask',
        'perfect features',
        'perfect features, a cell each pixel',
    ]
    for both, region, outline in found.values():
        assert both == pytest.approx((region + outline) / 2, abs=0.011)
    perfect = found.pop('perfect features, a cell each pixel')
    assert perfect[1] > 95
    for row in found.values():
        assert 0 < row[0] < perfect[0]
    assert found['the first mask'][1] < found['colours of the cells'][1]


def test_absent_checkpoint_is_one_line(tool, tmp_path):
    done = tool('none.pth')
    assert done.returncode == 2
    assert done.stderr == (
        "label_propagation.py: checkpoint: there is no file 'none.pth'\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_foreign_checkpoint_is_one_line(tool_here, tmp_path):
    torch.save(dict(state_dict=dict(x=torch.zeros(1))), tmp_path / 'a.pth')
    done = tool_here('a.pth', '--num-scenes', 1, '--num-frames', 3)
    assert done.returncode == 1
    assert 'holds no MCJEPAConvNeXt' in done.stderr.splitlines()[-1]
    assert 'Traceback' not in done.stderr
