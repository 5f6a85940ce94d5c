import pytest
import torch

from mcjepa_mm.models.backbones import MCJEPAConvNeXt

SCRIPT = 'tools/model_converters/publish.py'


@pytest.fixture
def tool(run, repo, tmp_path):
    return lambda *words: run('python', repo / SCRIPT, *words, cwd=tmp_path)


@pytest.fixture
def tool_here(run_here, repo, tmp_path):
    """The same in this process."""
    return lambda *words: run_here(repo / SCRIPT, *words, cwd=tmp_path)


@pytest.mark.slow
def test_publish(tool, tool_here, tmp_path):
    weights = MCJEPAConvNeXt('atto').state_dict()
    torch.save(weights, tmp_path / 'mine.pth')
    done = tool('mine.pth', '--out', 'shared/', '--safetensors')
    assert done.returncode == 0, done.stderr
    [path] = (tmp_path / 'shared').iterdir()
    assert done.stdout == f"shared/{path.name}: MCJEPAConvNeXt(arch='atto')\n"
    # not twice
    done = tool_here('mine.pth', '--out', 'shared/', '--safetensors')
    assert done.returncode == 1
    assert done.stderr == (
        f'shared/{path.name} exists and is left as it is: remove it, or name '
        'another\n'
    )


def test_a_missing_file_is_one_line(tool):
    done = tool('no.pth')
    assert done.returncode == 2
    assert done.stderr == "publish.py: checkpoint: there is no file 'no.pth'\n"


@pytest.mark.slow
def test_a_foreign_file_is_one_line(tool_here, tmp_path):
    (tmp_path / 'text.pth').write_text('a picture')
    done = tool_here('text.pth')
    assert done.returncode == 1
    assert 'text.pth' in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    'name', ['publish', 'convert_keys', 'plain_checkpoint']
)
def test_help_is_short_of_torch_and_mim_finds_one_script(run, repo, name):
    tools = repo / 'mcjepa_mm' / '.mim' / 'tools'
    # As `mim run mcjepa_mm publish` does: below .mim/tools.
    [script] = [p for p in tools.rglob('*.py') if p.stem == name]
    done = run('python', '-X', 'importtime', script, '-h')
    assert done.returncode == 0, done.stderr
    assert 'out' in done.stdout and '--gpus' not in done.stdout
    imported = [line.split('|')[-1] for line in done.stderr.splitlines()]
    imported = {each.strip().split('.')[0] for each in imported}
    assert not imported & {'torch', 'mmengine', 'numpy'}
