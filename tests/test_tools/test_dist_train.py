"""Several processes on a machine without a GPU, by each of the scripts."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

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


def all_of(*calls):
    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(call) for call in calls]
        return [each.result() for each in running]


def together(*calls):
    finished = all_of(*calls)
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


FRAMES = """
_base_ = '{toys}/short_pretraining.py'
train_dataloader = dict(
    motion=dict(
        dataset=dict(
            _delete_=True,
            type='FramePairs',
            data_root='~/frames',
            pipeline=[dict(type='PackViews')],
        )
    )
)
"""


# What is other on the second node: its options, its number of processes, its
# pictures; and what the error says: of three processes, two are right.
@pytest.mark.slow
@pytest.mark.parametrize(
    'options, processes, side, names',
    [
        (['randomness.seed=1'], 1, 64, ['process 1', 'seed is 1, not 0']),
        ([], 2, 64, ['number of processes', 'process 0', 'is 1, not 2']),
        ([], 1, 65, ['process 1', "data of 'motion' is 5 samples"]),
        ([], 1, None, ['FileNotFoundError', 'frames']),
    ],
    ids=['config', 'processes', 'data', 'no_data'],
)
def test_the_node_that_is_wrong_is_named(
    start, repo, tmp_path, free_port, options, processes, side, names
):
    toys = repo / 'tests' / 'toys'
    config = tmp_path / 'config.py'
    config.write_text(FRAMES.format(toys=toys))
    for home, pixels in (('0', 64), ('1', side)):
        for i in range(6 if pixels else 0):
            path = tmp_path / home / 'frames' / f'{i}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.effect_noise((64, pixels), 50).convert('RGB').save(path)
    one, two = all_of(
        *(
            lambda rank=rank, number=number, more=more: start(
                *('dist_train.sh', config, number, '--work-dir', 'work'),
                *('--cfg-options', 'custom_hooks.2.path=losses', *more),
                HOME=tmp_path / str(rank),
                PYTHONPATH=f'{repo}:{toys}',
                **dict(NNODES=2, MASTER_ADDR='127.0.0.1', PORT=free_port),
                NODE_RANK=rank,
            )
            for rank, number, more in ((0, 1, []), (1, processes, options))
        )
    )
    assert one.returncode and two.returncode
    lines = [
        line
        for line in two.stderr.splitlines()
        if all(name in line for name in names)
    ]
    # torchrun may end a process before it speaks, once another has
    assert 1 <= len(lines) <= processes
    assert (
        not [*tmp_path.glob('work/*.pth')]
        and not (tmp_path / 'losses').exists()
    )


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
        ('dist_train.sh', dict(RESTARTS=2), 'NNODES'),
        ('dist_train.sh', dict(NNODES='1:2', RESTARTS=2), 'MASTER_ADDR'),
        ('dist_train.sh', dict(NNODES=2), 'NODE_RANK'),
        ('dist_train.sh', dict(NNODES=2, NODE_RANK=1), 'MASTER_ADDR'),
    ],
)
def test_a_variable_that_is_needed_is_named(start, script, variables, missing):
    done = start(script, CONFIG, 1, 'x', 'y', **variables)
    assert done.returncode != 0
    assert f'{missing}: is needed with' in done.stderr
