import json
from pathlib import Path

import bad_sample_training
import pytest

from mcjepa_mm.datasets import BadSampleGuard

TOYS = Path(__file__).parents[2] / 'toys'


@pytest.fixture(autouse=True)
def own_guards(monkeypatch):
    """Guards of other tests are not this run's."""
    monkeypatch.setattr(BadSampleGuard, 'alive', type(BadSampleGuard.alive)())


def summary(root):
    """Lines of the log that name bad files."""
    log = next((root / 'log').rglob('*.log')).read_text()
    return [line for line in log.splitlines() if 'were bad' in line]


def counts(root):
    """What the log's numbers say of bad samples."""
    scalars = next((root / 'log').rglob('scalars.json')).read_text()
    return [
        line.get('bad_samples')
        for line in map(json.loads, scalars.splitlines())
    ]


def test_bad_files_are_counted_and_named_in_the_log(tmp_path):
    bad_sample_training.write_data(tmp_path)
    bad_sample_training.runner(tmp_path).train()
    [line] = summary(tmp_path)
    assert '1 of 7 samples were bad and replaced' in line
    assert f'{tmp_path}/bad/3.png' in line
    # Never part of a pair, and said so.
    assert f'{tmp_path}/single' in line
    assert counts(tmp_path)[-1] == 1


@pytest.mark.parametrize(
    'ending',
    [
        'limit',
        pytest.param('error', marks=pytest.mark.slow),
        pytest.param('interrupt', marks=pytest.mark.slow),
    ],
)
def test_bad_files_are_named_when_a_run_ends_early(tmp_path, run, ending):
    bad_sample_training.write_data(tmp_path)
    done = run('python', TOYS / 'bad_sample_training.py', tmp_path, ending)
    assert done.returncode != 0
    [line] = summary(tmp_path)
    assert '1 of 7 samples' in line and f'{tmp_path}/bad/3.png' in line
    if ending == 'limit':
        error = done.stderr[done.stderr.rindex('TooManyBadSamplesError') :]
        assert 'max_bad=0 allows less' in error
        assert f'{tmp_path}/bad/3.png' in error


def test_count_is_taken_once_in_an_interval(tmp_path, monkeypatch):
    bad_sample_training.write_data(tmp_path)
    at = []
    count = BadSampleGuard.num_bad
    monkeypatch.setattr(
        BadSampleGuard,
        'num_bad',
        lambda self: at.append(job.iter) or count(self),
    )
    job = bad_sample_training.runner(tmp_path, num_workers=0)
    job.train()
    assert job.max_iters == 8 and at == [1, 3, 5, 7]


def test_without_a_guard_nothing_is_logged(tmp_path):
    bad_sample_training.write_data(tmp_path)
    (tmp_path / 'bad' / '3.png').unlink()
    job = bad_sample_training.runner(tmp_path, num_workers=0)
    data = job.train_dataloader.dataset
    BadSampleGuard.alive.remove(data)
    job.train()
    assert summary(tmp_path) == []
    assert set(counts(tmp_path)) == {None}
