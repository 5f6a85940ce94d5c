"""Processes whose batches do not fit together."""

import os
import re

import pytest
import torch
from loss_record import read_losses
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from toy_job import job
from toy_pretraining import loader

from mcjepa_mm.engine.hooks import BatchConsistencyHook
from mcjepa_mm.registry import MODELS


@MODELS.register_module()
class Means(BaseModel):
    """Each task scales the mean of its inputs."""

    def __init__(self):
        super().__init__()
        self.heads = torch.nn.ModuleDict(
            {task: torch.nn.Linear(1, 1) for task in ('content', 'motion')}
        )

    def forward(self, mode, **tasks):
        return {
            f'{task}_loss': self.heads[task](
                torch.stack(batch['inputs']).float().mean()[None] / 255
            )
            for task, batch in tasks.items()
        }


class Odd(Hook):
    """Changes the batch of one process in the third step."""

    def __init__(self, rank, change):
        self.rank, self.change = rank, change

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 2 and runner.rank == self.rank:
            self.change(data_batch)


def shorten(batch):
    batch['motion']['inputs'].pop()


def leave_out(batch):
    del batch['motion']


def sizes(**tasks):
    return ', '.join(f'{k} (inputs ({n} samples))' for k, n in tasks.items())


# Samples of content and of motion, in batches of 2 and of 1; what else
# happens; the steps that are made; what is told, and of which process 1 has
# the first value.
CASES = dict(
    agreed=(8, 4, None, 4, None),
    fewer_samples=(
        *(8, 4, Odd(1, shorten), 2),
        ('iteration 2', sizes(content=2, motion=0), 'motion (inputs (1'),
    ),
    no_task=(
        *(8, 4, Odd(0, leave_out), 2),
        ('iteration 2', sizes(content=2, motion=1), sizes(content=2)),
    ),
    # 4 samples of the one process, 3 of the other
    last_batch=(
        *(7, 4, None, 1),
        ('iteration 1', sizes(content=1, motion=1), 'content (inputs (2'),
    ),
    epoch=(5, 4, None, 0, ('iterations of an epoch', '1', '2')),
    # all batches have one sample, but the passes would drift apart
    a_task_pass=(8, 5, None, 0, ("pass of 'motion'", '2 b', '3 b')),
)


def dataloader(length, batch_size):
    config = loader('ToyPairs', batch_size, length=length)
    config['sampler'].update(round_up=False)
    return dict(config, drop_last=False)


def share(rank, folder):
    """Train each case; return what the error says."""
    os.environ.update(
        dict(RANK=str(rank), WORLD_SIZE='2'),
        MASTER_ADDR='localhost',
        MASTER_PORT='1',  # nobody asks there
    )
    errors = {}
    for name, (content, motion, odd, _, _) in CASES.items():
        runner = job(
            folder / name,
            hooks=[odd] if odd else [],
            launcher='pytorch',
            model=dict(type='Means'),
            train_dataloader=dict(
                content=dataloader(content, 2), motion=dataloader(motion, 1)
            ),
            custom_hooks=[
                dict(type='BatchConsistencyHook'),
                dict(type='MultiTaskHook', main_task='content'),
            ],
        )
        try:
            runner.train()
        except ValueError as error:
            errors[name] = str(error)
    return errors


@pytest.mark.slow
def test_both_processes_refuse_what_does_not_fit(two_processes, tmp_path):
    one, two = two_processes(__file__, tmp_path)
    assert one == two
    assert one.keys() == CASES.keys() - {'agreed'}
    for name, (*_, steps, has) in CASES.items():
        record = tmp_path / name / 'losses.jsonl'
        made = read_losses(record) if record.exists() else {}
        assert made.keys() == {(r, i) for r in (0, 1) for i in range(steps)}
        if has is None:
            continue
        what, its, usual = map(re.escape, has)
        assert re.search(
            f'process 1 on .*{what}.* is {its}.*, not .*{usual}', one[name]
        )
        assert ('drop_last' if steps else 'same data') in one[name]


class Untouched:
    """Whoever looks at it fails."""

    def __getattribute__(self, name):
        raise AssertionError(f'{name} was asked for')


def test_one_process_does_nothing(tmp_path):
    runner, hook = job(tmp_path), BatchConsistencyHook()
    hook.before_train(runner)
    hook.before_train_iter(runner, 0, Untouched())
