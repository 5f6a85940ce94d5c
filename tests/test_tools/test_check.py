"""What is said of a training before it is begun."""

import multiprocessing
import re
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

REPO = Path(__file__).resolve().parents[2]
TOYS = REPO / 'tests' / 'toys'
SHORT = TOYS / 'short_pretraining.py'


@pytest.fixture
def check(command_here, tmp_path):
    """Run the script in this process, in a folder of its own."""
    handler = signal.getsignal(signal.SIGTERM)
    cwd = tmp_path / 'cwd'
    cwd.mkdir()
    yield lambda *words: command_here('check', *words, cwd=cwd)
    signal.signal(signal.SIGTERM, handler)


def row(text, heading):
    """What stands beside a heading, in one line."""
    match = re.search(rf'^{heading} +(.*(?:\n {{13}}.*)*)', text, re.MULTILINE)
    return ' '.join(match[1].split())


def test_the_default_job_in_short(check, tmp_path):
    """Of 15 steps motion misses two, but the trial has it at once."""
    done = check(SHORT, '--work-dir', tmp_path / 'work')
    assert done.returncode == 0, done.stderr
    text = done.stdout
    lines = [x for x in text.splitlines() if str(tmp_path) not in x]
    assert max(map(len, lines)) <= 88
    assert row(text, 'content').startswith('20 4 15 60 3 1 ')
    # 13 batches of 2 from a data set of 6
    assert row(text, 'motion').startswith('6 2 13 26 4.33 1 ')
    assert row(text, 'run') == '3 epochs of 5 steps, 15 in all'
    assert ' for 15 steps, each with motion; ' in row(text, 'time')
    # 3 batches of 8 and 1 of 2
    assert row(text, 'validation') == 'every 2 epochs, 4 batches'
    whole, *parts = re.findall(r'\d[\d,]+', row(text, 'parameters'))
    whole, *parts = (int(x.replace(',', '')) for x in (whole, *parts))
    assert whole == sum(parts) and len(parts) == 3
    # 8 checkpoints, of the weights and of two moments each
    saved = row(text, 'checkpoints')
    assert saved.startswith(
        'every 2 steps and at the end, 8 in all, 2 kept; about '
    )
    size = float(re.search(r'about ([\d.]+) kB', saved)[1])
    assert size == pytest.approx(12 * whole / 1000, rel=0.1)
    assert row(text, 'work dir') == f'{tmp_path / "work"}, not there yet'
    assert text.endswith('\nThe training can begin.\n')
    assert not (tmp_path / 'work').exists()
    assert not (tmp_path / 'cwd' / 'work_dirs').exists()


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    """Four images, one damaged, and two clips, one too short."""
    rng = np.random.default_rng(0)

    def write(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = rng.integers(0, 255, (72, 96, 3), np.uint8)
        assert cv2.imwrite(str(path), image)
        return path

    for i in range(3):
        write(f'images/{i}.png')
    damaged = write('images/deep/damaged.png')
    damaged.write_bytes(damaged.read_bytes()[:2000])
    (tmp_path / 'images' / 'notes.txt').touch()
    (tmp_path / 'images' / 'film.mp4').touch()
    for i in range(4):
        write(f'videos/walk/{i}.jpg')
    write('videos/short/0.jpg')
    (tmp_path / 'videos' / 'film.mp4').write_text('not a video')
    monkeypatch.setenv('MCJEPA_IMAGES', str(tmp_path / 'images'))
    monkeypatch.setenv('MCJEPA_VIDEOS', str(tmp_path / 'videos'))


def test_own_data(check, own_data, tmp_path):
    work = tmp_path / 'work'
    work.mkdir()
    torch.save(dict(state_dict={}), work / 'epoch_1.pth')
    done = check(
        *('mcjepa_convnext-micro_1xb32_own-data', '--work-dir', work),
        *('--epochs', 2, '--epoch-length', 4, '--steps', 2, '--cfg-options'),
        *('val_cfg=None', 'val_dataloader=None', 'val_evaluator=None'),
        'train_dataloader.content.batch_size=6',
        'train_dataloader.content.num_workers=0',
        'param_scheduler.total_steps=15',
        'train_dataloader.motion.batch_size=2',
    )
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert row(text, 'content').startswith('4 6 8 48 12 0 ')
    # 3 pairs of neighbours and 2 of the next but one
    assert row(text, 'motion').startswith('5 2 8 16 3.2 1 ')
    assert text.count('in 1 clip, 0 of them videos') == 2
    assert row(text, 'validation') == 'none'
    notes = ' '.join(text.partition('work dir')[2].split())
    assert 'would go on from none of them; without it' in notes
    images, videos = tmp_path / 'images', tmp_path / 'videos'
    for note in (
        f'- Not used: 2 files of {images} that are no images',
        f'- Not used: 1 clips of {videos} without 2 frames',
        f'- Not used: {videos / "film.mp4"}',
        '- OneCycleLR ends after 15 steps, the run after 8: it will not',
        '- content has fewer samples (4) than a batch (6)',
        '1 file cannot be read, of those that were tried, and replaced: '
        f'({images / "deep" / "damaged.png"})',
    ):
        assert note in notes
    assert [x.name for x in work.iterdir()] == ['epoch_1.pth']
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    'words, message',
    [
        (
            ['--cfg-options', 'train_dataloader.content.batch_size=32'],
            "ValueError: The dataloader of 'content' gives no batch",
        ),
        (
            ['--cfg-options', 'train_cfg.max_epochs=4'],
            'ValueError: OneCycleLR has total_steps=15 and would end the run',
        ),
        (
            ['--work-dir', SHORT],
            'NotADirectoryError: The run would write to ',
        ),
        (['--steps', 1], 'ValueError: steps must be 2 or more'),
    ],
)
def test_what_cannot_train_is_said_in_a_line(check, words, message):
    done = check(SHORT, *words)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(message)
    assert 'The training can begin' not in done.stdout


@pytest.mark.slow
def test_it_ends_by_itself(run, tmp_path):
    """As a command, with nothing left in the folder of temporary files."""
    temporary = tmp_path / 'temporary'
    temporary.mkdir()
    words = (
        *('env', f'TMPDIR={temporary}', sys.executable, '-m', 'mcjepa_mm'),
        *('check', 'mcjepa_convnext', '--steps', 2, '--cfg-options'),
        'train_dataloader.content.batch_size=4',
        'train_dataloader.content.dataset.length=400',  # 800 steps in all
    )
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith('\nThe training can begin.\n')
    assert [x.name for x in tmp_path.iterdir()] == ['temporary']
    # torch leaves an empty folder of its own
    assert not [*temporary.glob('mcjepa_check_*')]
