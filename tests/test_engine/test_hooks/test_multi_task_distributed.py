"""Two processes through the moment at which a task begins."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed as dist

STEPS, BEGIN = 4, 2


def train(rank, folder):
    """Train on one of two processes; write the weights after every step."""
    import test_multi_task_hook as toys  # beside this script
    from mmengine.runner import Runner

    torch.set_num_threads(1)
    os.environ['LOCAL_RANK'] = str(rank)
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder / "rendezvous"}',
        rank=rank,
        world_size=2,
    )
    cfg = toys.config(
        folder / 'work',
        dict(motion=dict(**toys.toy_task(length=8), begin=BEGIN)),
        by_epoch=False,
    )
    content = toys.toy_task(length=4 * STEPS)['dataloader']
    cfg.train_dataloader.content = content
    cfg.train_cfg.max_epochs = 1
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
    torch.save(history, folder / f'history_{rank}.pth')
    dist.destroy_process_group()


@pytest.mark.slow
def test_a_later_task_neither_moves_nor_hangs(tmp_path):
    processes = [
        subprocess.Popen([sys.executable, __file__, str(rank), str(tmp_path)])
        for rank in (0, 1)
    ]
    assert [p.wait(timeout=300) for p in processes] == [0, 0]
    first, second = (
        torch.load(tmp_path / f'history_{rank}.pth') for rank in (0, 1)
    )
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


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).parents[3]))
    train(int(sys.argv[1]), Path(sys.argv[2]))
