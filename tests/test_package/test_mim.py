from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
TOYS = Path(__file__).parent


@pytest.fixture
def mim(run, site, tmp_path):
    """Run MIM where the wheel is installed and the checkout is not seen."""

    def mim(*words):
        path = f'{site}:{TOYS}'
        return run('python', '-m', 'mim', *words, cwd=tmp_path, path=path)

    return mim


def test_search_lists_the_configs(mim):
    done = mim('search', 'mcjepa_mm', '--valid-config')
    assert done.returncode == 0, done.stderr
    assert 'mcjepa_convnext' in done.stdout


def test_run_finds_a_script_in_a_folder_of_tools(mim, tmp_path):
    words = ['kitti2012', 'out', '--num-scenes', 1, '--size', 64, 96]
    done = mim('run', 'mcjepa_mm', 'export_embedded_world', *words)
    assert done.returncode == 0, done.stderr
    assert 'out: 6 files in the layout of kitti2012' in done.stdout
    assert (tmp_path / 'out/training/flow_noc/000000_10.png').is_file()


def test_train_and_test_with_a_config_of_ones_own(mim, tmp_path):
    config = TOYS / 'toy_config.py'
    done = mim('train', 'mcjepa_mm', config, '--work-dir', 'work')
    assert done.returncode == 0, done.stderr
    assert 'Training finished successfully' in done.stdout
    checkpoint = tmp_path / 'work' / 'epoch_1.pth'
    done = mim('test', 'mcjepa_mm', config, '--checkpoint', checkpoint)
    assert done.returncode == 0, done.stderr
    assert 'count: 4' in done.stdout + done.stderr
    assert 'Testing finished successfully' in done.stdout
    # MIM wants to be given one
    done = mim('test', 'mcjepa_mm', config, '--checkpoint', 'none')
    assert done.returncode == 0, done.stderr
    assert 'No checkpoint is given' in done.stdout + done.stderr


def test_train_with_the_launcher_that_mim_knows(mim, tmp_path, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    config = TOYS / 'toy_config.py'
    words = ['--launcher', 'pytorch', '--gpus', 2, '--work-dir', 'work']
    done = mim('train', 'mcjepa_mm', config, *words)
    assert done.returncode == 0, done.stderr
    # four samples, two to a batch, one batch to a process
    assert 'Epoch(train) [1][1/1]' in done.stdout + done.stderr
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()


def test_train_finds_a_packaged_config_by_its_name(mim, site):
    # The wrong option ends the run once the config is found.
    name = 'mcjepa_convnext.py'
    done = mim('train', 'mcjepa_mm', name, '--resume', 'no.pth')
    config = site / 'mcjepa_mm' / '.mim' / 'configs' / name
    assert f'will use {config} instead' in done.stdout
    assert "resume: there is no file 'no.pth'" in done.stderr
