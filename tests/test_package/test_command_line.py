from pathlib import Path

import pytest

TOYS = Path(__file__).parent
CONFIG = TOYS / 'toy_config.py'


@pytest.fixture
def tool(run, repo, tmp_path):
    """Run a script of tools/ from a folder that is not the repository."""

    def tool(script, *options):
        words = [repo / 'tools' / script, *options]
        if script.endswith('.py'):
            words.insert(0, 'python')
        return run(*words, cwd=tmp_path, path=TOYS)

    return tool


@pytest.mark.slow
def test_train_resume_and_test(tool, tmp_path):
    done = tool('train.py', CONFIG, '--launcher', 'none')
    assert done.returncode == 0, done.stderr
    work_dir = tmp_path / 'work_dirs' / 'toy_config'
    assert (work_dir / 'epoch_1.pth').is_file()

    options = ['--work-dir', work_dir, '--cfg-options']
    done = tool(
        'train.py', CONFIG, *options, 'train_cfg.max_epochs=2', '--resume'
    )
    assert done.returncode == 0, done.stderr
    assert 'resumed epoch: 1, iter: 2' in done.stdout + done.stderr
    assert (work_dir / 'epoch_2.pth').is_file()

    checkpoint = work_dir / 'epoch_2.pth'
    done = tool('test.py', CONFIG, checkpoint, '--work-dir', tmp_path / 'test')
    assert done.returncode == 0, done.stderr
    assert 'count: 4' in done.stdout + done.stderr

    done = tool('test.py', CONFIG, checkpoint, *options, 'model.name=other')
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith('ValueError: No key of the checkpoint is a key')
    assert "'other.weight'" in last and "'line.weight'" in last


@pytest.mark.slow
def test_two_processes_on_a_cpu(tool, tmp_path, monkeypatch):
    # A machine with a GPU is asked not to use it.
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    done = tool('dist_train.sh', CONFIG, '2', '--work-dir', 'work')
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()
    # Four samples, two to a batch, one batch to a process.
    assert 'Epoch(train) [1][1/1]' in done.stdout + done.stderr

    checkpoint = tmp_path / 'work' / 'epoch_1.pth'
    for weights in (checkpoint, 'none'):
        done = tool('dist_test.sh', CONFIG, weights, '2')
        assert done.returncode == 0, done.stderr
        assert 'count: 4' in done.stdout + done.stderr
