from pathlib import Path

import pytest

from mcjepa_mm.datasets.embedded_world.export import LAYOUTS

SCRIPT = 'tools/dataset_converters/export_embedded_world.py'


@pytest.fixture
def tool(run, repo, tmp_path):
    return lambda *words: run('python', repo / SCRIPT, *words, cwd=tmp_path)


@pytest.mark.slow
def test_export(tool, tmp_path):
    words = ['--num-scenes', 1, '--num-frames', 2, '--size', 64, 96]
    done = tool('sintel', 'data/sintel', *words, '--seed', 3)
    assert done.returncode == 0, done.stderr
    assert done.stdout == 'data/sintel: 12 files in the layout of sintel\n'
    root = tmp_path / 'data' / 'sintel'
    assert (root / 'training/flow/world_1/frame_0001.flo').is_file()
    # not twice
    done = tool('sintel', 'data/sintel')
    assert done.returncode == 1
    assert done.stderr == (
        f'{root} exists and is not an empty folder; name another one\n'
    )
    assert [path.name for path in root.parent.iterdir()] == ['sintel']


def test_help_names_every_layout_and_is_short_of_numpy(run, repo):
    done = run('python', '-X', 'importtime', repo / SCRIPT, '-h')
    assert done.returncode == 0, done.stderr
    text = ' '.join(done.stdout.split())
    assert f'imitate: {", ".join(LAYOUTS)}' in text
    assert '--gpus' not in text
    imported = [line.split('|')[-1] for line in done.stderr.splitlines()]
    imported = {name.strip().split('.')[0] for name in imported}
    assert not imported & {'torch', 'mmengine', 'numpy'}


def test_unknown_layout_is_one_line(tool):
    done = tool('kitti', 'out')
    assert done.returncode == 2
    assert "invalid choice: 'kitti'" in done.stderr


def test_mim_finds_one_script_of_the_name(repo):
    # As `mim run mcjepa_mm export_embedded_world` does: below .mim/tools.
    tools = repo / 'mcjepa_mm' / '.mim' / 'tools'
    found = [p for p in tools.rglob('*.py') if p.name == Path(SCRIPT).name]
    assert found == [tools / 'dataset_converters' / Path(SCRIPT).name]
