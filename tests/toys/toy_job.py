"""A training of the smallest pretrainer that can be stopped and resumed."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

from loss_record import LossRecordHook
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from toy_pretraining import loader, training

from mcjepa_mm.engine.launch import build_runner

numbers = count()  # mmengine wants a new name for each run of a process


class At(Hook):
    """Call a function of the runner before the step of an iteration."""

    def __init__(self, iteration: int, act: Callable) -> None:
        self.iteration, self.act = iteration, act

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            self.act(runner)


class OnSave(Hook):
    """Call a function of the runner and of what will be saved."""

    def __init__(self, act: Callable) -> None:
        self.act = act

    def before_save_checkpoint(self, runner, checkpoint):
        self.act(runner, checkpoint)


def job(
    work_dir: Path,
    *,
    resume: bool | str | Path = False,
    hooks: tuple = (),
    checkpoint: dict | None = None,
    stop: bool = False,
    **settings,
) -> Runner:
    """Two epochs of four steps, with a checkpoint after every second step.

    Args:
        work_dir: Where it writes; the losses to ``losses.jsonl``.
        resume: Whether to resume, or the one checkpoint to resume from.
        hooks: Objects that run between the step and the saving.
        checkpoint: Other arguments of SafeCheckpointHook.
        stop: Whether it has a GracefulStopHook.
        **settings: Replace keys of the runner's config.
    """
    interval = dict(by_epoch=False, interval=2, max_keep_ckpts=3)
    config = training(
        work_dir,
        default_hooks=dict(
            checkpoint=dict(
                type='SafeCheckpointHook', **(interval | (checkpoint or {}))
            ),
            **(dict(stop=dict(type='GracefulStopHook')) if stop else {}),
        ),
        resume=bool(resume),
        load_from=str(resume) if isinstance(resume, str | Path) else None,
    )
    config |= dict(
        experiment_name=f'toy job {next(numbers)}',
        launcher='none',
        train_dataloader=loader('ToyPairs', length=8, restless=True),
        train_cfg=dict(type='MultiTaskTrainLoop', max_epochs=2),
        param_scheduler=dict(type='LinearLR', by_epoch=False, end=6),
    )
    runner = build_runner(Config(config | settings))
    record = Path(work_dir) / 'losses.jsonl'
    for hook in (LossRecordHook(str(record)), *hooks):
        runner.register_hook(hook)
    return runner


def log(work_dir: Path) -> str:
    """All that its runs have logged."""
    return ''.join(x.read_text() for x in work_dir.glob('*/*.log'))
