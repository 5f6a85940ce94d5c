"""Two processes through the moment at which a task begins."""

import pytest
import torch
from mmengine.runner import Runner
from two_tasks import config, noise

STEPS, BEGIN = 4, 2


def share(rank, folder):
    """Train on one of two processes; return the weights after every step."""
    cfg = config(
        folder / 'work',
        dict(content=noise(4 * STEPS), motion=noise()),
        epochs=1,
        begin=dict(motion=BEGIN),
        by_epoch=False,
    )
    cfg.launcher = 'pytorch'
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        find_unused_parameters=True,
    )
    runner = Runner.from_cfg(cfg)
    history = []
    step = runner.model.train_step

    def train_step(*args, **kwargs):
        result = step(*args, **kwargs)
        weights = runner.model.module.state_dict()
        history.append({k: v.clone() for k, v in weights.items()})
        return result

    runner.model.train_step = train_step
    runner.train()
    return history


@pytest.mark.slow
def test_a_later_task_neither_moves_nor_hangs(two_processes, tmp_path):
    first, second = two_processes(__file__, tmp_path)
    assert len(first) == STEPS
    for step, (one, two) in enumerate(zip(first, second, strict=True)):
        for name, value in one.items():
            assert torch.equal(value, two[name]), (step, name)
    head = 'heads.motion.decoder.estimators.5.predict.weight'
    expander = 'heads.content.expander.0.weight'
    for step in range(1, STEPS):
        moved = not torch.equal(first[step][head], first[step - 1][head])
        assert moved == (step >= BEGIN)
        assert not torch.equal(
            first[step][expander], first[step - 1][expander]
        )
