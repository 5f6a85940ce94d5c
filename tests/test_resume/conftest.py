"""Trainings that are broken off and resumed."""

from contextlib import nullcontext
from itertools import count
from pathlib import Path

import pytest

TOYS = Path(__file__).resolve().parents[1] / 'toys'

numbers = count()  # mmengine wants a new name for each run of a process


@pytest.fixture
def train(tmp_path):
    """Function of a run's name and options: train, or go on.

    With ``break_after`` the training ends after that iteration as if it had
    been killed. Returns the losses that the run has recorded so far.
    """

    def train(
        name,
        *options,
        resume=False,
        break_after=None,
        config='short_pretraining.py',
    ):
        from loss_record import BrokenOffError, read_losses

        from mcjepa_mm.engine.launch import build_runner, load_config

        record = tmp_path / f'{name}.jsonl'
        cfg = load_config(
            str(TOYS / config),
            work_dir=str(tmp_path / name),
            cfg_options=[
                f'custom_hooks.2.path={record}',
                f'custom_hooks.2.break_after={break_after}',
                f'experiment_name={next(numbers)}',
                *options,
            ],
        )
        cfg.resume = resume
        runner = build_runner(cfg)
        with pytest.raises(BrokenOffError) if break_after else nullcontext():
            runner.train()
        return read_losses(record)

    return train
