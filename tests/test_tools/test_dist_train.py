"""Several processes on a machine without a GPU, by each of the scripts."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

TOYS = Path(__file__).parents[1] / 'test_package'
CONFIG = TOYS / 'toy_config.py'


@pytest.fixture
def start(run, repo, tmp_path, monkeypatch):
    """Run a script of tools/ with variables set, beside a srun that echoes."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    (folder / 'srun').write_text('#!/bin/sh\necho "$@"')
    (folder / 'srun').chmod(0o755)
    monkeypatch.setenv('PATH', str(folder), prepend=':')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')

    def start(script, *words, **variables):
        settings = [f'{name}={value}' for name, value in variables.items()]
        command = ['env', *settings, repo / 'tools' / script, *words]
        return run(*command, cwd=tmp_path, path=f'{repo}:{TOYS}')

    return start


def together(*calls):
    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(call) for call in calls]
        finished = [each.result() for each in running]
    for done in finished:
        assert done.returncode == 0, done.stderr
    return [done.stdout + done.stderr for done in finished]


@pytest.mark.slow
def test_two_machines(start, tmp_path, free_port):
    place = dict(NNODES=2, MASTER_ADDR='127.0.0.1', PORT=free_port)
    said = together(
        *(
            lambda rank=rank: start(
                *('dist_train.sh', CONFIG, 1, '--work-dir', 'work'),
                **place,
                NODE_RANK=rank,
            )
            for rank in range(2)
        )
    )
    # four samples, two to a batch, one batch to a machine; one of them writes
    assert sorted(text.count('Epoch(train) [1][1/1]') for text in said) == [
        0,
        1,
    ]
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()


@pytest.mark.slow
def test_two_jobs_on_a_machine_do_not_meet(start, tmp_path):
    said = together(
        *(
            lambda name=name: start(
                'dist_train.sh', CONFIG, 1, '--work-dir', name
            )
            for name in 'ab'
        )
    )
    for name, text in zip('ab', said):
        assert 'Epoch(train) [1][2/2]' in text
        assert (tmp_path / name / 'epoch_1.pth').is_file()


@pytest.mark.parametrize(
    'script, words, options',
    [
        ('train', [CONFIG, 'work'], [CONFIG, '--work-dir', 'work']),
        ('test', [CONFIG, 'a.pth'], [CONFIG, 'a.pth']),
    ],
)
def test_what_srun_is_asked_for(start, repo, script, words, options):
    done = start(
        *(f'slurm_{script}.sh', 'gpus', 'toy', *words, '--cfg-options', 'a=1'),
        **dict(GPUS=16, SRUN_ARGS='--mem=9G --nice', PYTHON='py'),
    )
    assert done.stdout.split() == [
        *('-p', 'gpus', '--job-name=toy', '--gres=gpu:8', '--ntasks=16'),
        *('--ntasks-per-node=8', '--cpus-per-task=5', '--kill-on-bad-exit=1'),
        *('--mem=9G', '--nice', 'py', '-u', f'{repo}/tools/{script}.py'),
        *('--launcher', 'slurm', *map(str, options), '--cfg-options', 'a=1'),
    ]


@pytest.mark.parametrize(
    'script, variables, missing',
    [
        ('dist_train.sh', dict(NNODES=2), 'NODE_RANK'),
        ('dist_train.sh', dict(NNODES=2, NODE_RANK=1), 'MASTER_ADDR'),
    ],
)
def test_a_variable_that_is_needed_is_named(start, script, variables, missing):
    done = start(script, CONFIG, 1, 'x', 'y', **variables)
    assert done.returncode != 0
    assert f'{missing}: is needed with' in done.stderr
