"""A run that is resumed with another schedule follows that one."""

import re
import warnings
from math import cos, pi

import pytest
from toy_job import At, job, log

ONE_CYCLE = dict(type='OneCycleLR', eta_max=0.1, total_steps=8, by_epoch=False)
WARM_UP = dict(type='LinearLR', start_factor=0.1, end=3, by_epoch=False)
COSINE = dict(
    type='CosineAnnealingLR', begin=3, end=8, T_max=5, by_epoch=False
)
EPOCHS = dict(type='MultiStepLR', milestones=[1, 2], gamma=0.5)
LONGER = [
    ([ONE_CYCLE], [dict(ONE_CYCLE, total_steps=16)], 'total_steps 8 -> 16'),
    (
        [WARM_UP, COSINE],
        [WARM_UP, dict(COSINE, end=16, T_max=13)],
        'T_max 5 -> 13',
    ),
    (
        [EPOCHS],
        [dict(EPOCHS, milestones=[2, 3])],
        "milestones {'1': 1, '2': 1} -> {'2': 1, '3': 1}",
    ),
]


def rates(folder, epochs, schedule, **settings):
    """The learning rate of the group after each epoch of a run."""
    runner = job(
        folder,
        train_cfg=dict(type='ResumableTrainLoop', max_epochs=epochs),
        param_scheduler=schedule,
        **settings,
    )
    runner.train()
    return runner.optim_wrapper.param_groups[0]


@pytest.mark.parametrize('short, long, change', LONGER)
def test_the_longer_schedule_goes_on(tmp_path, short, long, change):
    """Ends where a run ends that had it from the beginning."""
    whole = rates(tmp_path / 'whole', 3, long)
    folder = tmp_path / 'resumed'
    rates(folder, 2, short)
    with warnings.catch_warnings():
        # torch's, of steps that the schedule makes before the optimiser
        warnings.filterwarnings('error', 'Detected call of')
        group = rates(folder, 3, long, resume=True)
    assert group['lr'] == pytest.approx(whole['lr'], rel=1e-12)
    said = log(folder)
    assert said.count('The schedule of the config is not') == 1
    assert change in said


def test_a_one_cycle_may_rise_in_one_step(tmp_path):
    """mmengine divides by the length of that rise, 0."""
    schedule = dict(ONE_CYCLE, total_steps=10, pct_start=0.1)
    runner = job(tmp_path, param_scheduler=[schedule])
    rates = []
    runner.register_hook(
        At(1, lambda r: rates.append(r.optim_wrapper.param_groups[0]['lr']))
    )
    runner.train()
    # a cosine from 0.1 at step 0 to about 0 at step 9
    assert rates == pytest.approx([0.05 * (1 + cos(pi / 9))], rel=1e-3)


def test_another_learning_rate(tmp_path):
    """The one of the config counts, and the schedule is of it."""

    def settings(rate):
        return dict(
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=rate)),
        )

    long = [dict(EPOCHS, milestones=[5])]
    rates(tmp_path, 2, long, **settings(0.1))
    group = rates(tmp_path, 3, long, resume=True, **settings(0.01))
    assert group['lr'] == pytest.approx(0.01)
    assert 'base_values 0.1 -> 0.01' in log(tmp_path)


def test_a_finished_training_says_so(tmp_path):
    checkpoint = dict(by_epoch=True, interval=2)
    job(tmp_path, checkpoint=checkpoint).train()
    before = (tmp_path / 'losses.jsonl').read_text()
    assert 'is finished' not in log(tmp_path)
    job(tmp_path, checkpoint=checkpoint, resume=True).train()
    assert (tmp_path / 'losses.jsonl').read_text() == before
    (line,) = re.findall('.*is finished.*', log(tmp_path))
    assert f'{tmp_path}/epoch_2.pth' in line and '--epochs' in line


@pytest.mark.parametrize(
    'schedule', [dict(ONE_CYCLE, end=8), dict(EPOCHS, end=5)]
)
def test_the_same_schedule_is_left_alone(tmp_path, schedule):
    # mmengine ends with the run what has no end of its own
    rates(tmp_path, 2, schedule)
    group = rates(tmp_path, 3, schedule, resume=True)
    whole = rates(tmp_path / 'whole', 3, schedule)
    assert group['lr'] == whole['lr']
    assert 'The schedule of the config is not' not in log(tmp_path)
