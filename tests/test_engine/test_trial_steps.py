"""How long a run takes, from what its steps and its data take."""

import pytest
from torch.utils.data import DataLoader

from mcjepa_mm.engine.trial_steps import Task, Trial


def task(seconds, workers, steps=100):
    loader = DataLoader(range(4), num_workers=workers)
    return Task(loader, steps, seconds)


@pytest.mark.parametrize(
    'tasks, pace',
    [
        # two workers bring a batch every half second, sooner than a step ends
        (dict(content=task(1, 2)), 2),
        # one worker brings it every three seconds: the step waits
        (dict(content=task(1, 2), motion=task(3, 1)), 3),
        # in every second step only
        (dict(content=task(1, 2), motion=task(3, 1, steps=50)), 2),
        # without workers the step waits for all
        (dict(content=task(1, 0), motion=task(0.5, 0)), 3.5),
        (dict(content=task(1, 0), motion=task(4, 1)), 4),
    ],
)
def test_the_slower_of_data_and_model_sets_the_pace(tasks, pace):
    trial = Trial(tasks, length=100, steps=[1.5, 2.5])
    assert trial.pace() == pytest.approx(pace)
