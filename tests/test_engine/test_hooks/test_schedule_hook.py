"""A number of the model on a ramp, in a real run."""

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner

from mcjepa_mm.engine.hooks import ScheduleHook


class Toy(BaseModel):
    """A model with a weight to move, which remembers what it was."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.layer.factor = 3.0
        self.seen = []

    def forward(self, inputs, mode='tensor'):
        self.seen.append(self.layer.factor)
        return dict(loss=self.layer(torch.stack(list(inputs))).mean())


def train(tmp_path, hook, epochs=4, iters=2):
    runner = Runner(
        Toy(),
        str(tmp_path),
        train_dataloader=dict(
            dataset=[dict(inputs=torch.ones(1))] * iters,
            batch_size=1,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        custom_hooks=[dict(type='mcjepa_mm.ScheduleHook', **hook)],
        experiment_name=tmp_path.name,
    )
    runner.train()
    return runner


def test_ramp_by_epoch(tmp_path):
    """Start value until epoch 1, then up over 2 epochs to the config's."""
    runner = train(
        tmp_path,
        dict(target='layer.factor', begin=1, length=2, start=1.0),
    )
    expected = [1, 1, 1, 1.5, 2, 2.5, 3, 3]
    assert runner.model.seen == pytest.approx(expected)
    history = runner.message_hub.get_scalar(
        'train/schedule.layer.factor'
    ).data[0]
    assert list(history) == pytest.approx(expected)


def test_step_by_iteration(tmp_path):
    runner = train(
        tmp_path,
        dict(
            target='layer.factor',
            begin=3,
            start=0.0,
            end=9.0,
            by_epoch=False,
        ),
    )
    assert runner.model.seen == [0, 0, 0, 9, 9, 9, 9, 9]


@pytest.mark.parametrize(
    'target, message',
    [
        ('layer.fctor', "no 'layer.fctor'"),
        ('leyer.factor', "no 'leyer.factor'"),
        ('layer.weight', 'must be a number'),
    ],
)
def test_unknown_target(tmp_path, target, message):
    with pytest.raises(AttributeError, match=message):
        train(tmp_path, dict(target=target))


def test_value_between():
    hook = ScheduleHook('x', begin=10, length=4, start=2.0, end=0.0)
    assert [hook.value(t) for t in (0, 10, 11, 14, 99)] == [2, 2, 1.5, 0, 0]
