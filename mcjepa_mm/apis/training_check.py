"""What a training would do, said before it is begun."""

import copy
import logging
import os
import tempfile
from contextlib import nullcontext
from pathlib import Path

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.optim.scheduler import OneCycleParamScheduler
from mmengine.runner import Runner

from mcjepa_mm.datasets.bad_samples import BadSampleGuard
from mcjepa_mm.datasets.clips import listing, printable
from mcjepa_mm.engine.launch import build_runner
from mcjepa_mm.engine.resume import choose_checkpoint
from mcjepa_mm.engine.trial_steps import Trial, run_trial
from mcjepa_mm.utils.memory import is_shortage, limited_memory

from .training_report import (
    count,
    existing,
    inside,
    row,
    training_report,
    wrapped,
)

_NEVER = 10**9  # the end of a schedule to which mmengine has been told none


def check_training(cfg: Config, steps: int = 3) -> str:
    """Try a training's first steps, and report what the whole would be.

    The run is built in a temporary folder, with the config's data, model,
    optimiser and hooks, and broken off after the steps. Of the validation
    the data are built. The work dir is read and not changed.

    Args:
        cfg (Config): As :func:`~mcjepa_mm.engine.launch.load_config` returns
            it. It is changed.
        steps (int): How many, of which the first is not counted. Defaults to
            3.

    Returns:
        str: Lines of at most 88 columns, unless a file's name is longer.

    Raises:
        MemoryError: If they need more memory than the GPU or the machine has.
        ValueError: If ``steps`` is less than 2, or if the run has no step or
            would end in an error later.
        OSError: If the work dir cannot be written.
        Exception: Whatever else would end the training in these steps. What
            was logged before it is printed.
    """
    if steps < 2:
        raise ValueError(
            'steps must be 2 or more, because the first is not counted; got '
            f'{steps}.'
        )
    limit = limited_memory() if get_device() == 'cpu' else nullcontext()
    try:
        with limit:
            return _check(cfg, steps)
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        shortage = str(error).splitlines()[0]
    # not within the handler, where it would be a consequence of that error
    raise MemoryError(
        f'Out of memory: {shortage} Give a smaller size of the model '
        '(model.backbone.arch), a smaller batch_size, or '
        'model.backbone.with_cp=True.'
    )


def _check(cfg: Config, steps: int) -> str:
    work_dir = Path(cfg.work_dir)
    resumes, path = cfg.get('resume'), None
    if resumes:
        path, cfg.load_from, cfg.resume = cfg.get('load_from'), None, False
    if cfg.get('visualizer'):
        # others may write elsewhere than in the work dir
        cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]
    cfg.log_level = 'WARNING'
    with tempfile.TemporaryDirectory(prefix='mcjepa_check_') as folder:
        cfg.work_dir = folder
        # mmengine keeps loggers by this name, and the time in seconds
        cfg.experiment_name = os.path.basename(folder)
        runner = build_runner(cfg)
        notes = _listen(runner)
        try:
            there = _tell_work_dir(runner, work_dir, path, resumes)
            saving = [
                copy.copy(hook)  # the trial changes them
                for hook in runner.hooks
                if isinstance(hook, CheckpointHook)
            ]
            trial = run_trial(runner, steps)
            notes += _check_schedules(runner)
        except BaseException:
            if is_main_process():
                print('\n'.join(wrapped(notes)), flush=True)
            raise
    notes += _find_faults(trial, notes)
    lines = [
        *training_report(runner, trial, saving, work_dir),
        *row('work dir', there),
        '',
        *([*wrapped(notes), ''] if notes else []),
        'The training can begin.',
    ]
    return '\n'.join(lines)


class _Notes(logging.Handler):
    """Keep warnings, and what a data set says that it does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        kept = record.levelno >= logging.WARNING or text.startswith('Not used')
        # what mmengine calls deprecated is its own affair
        if kept and 'deprecated' not in text:
            self.found.append(text)


def _listen(runner: Runner) -> list[str]:
    """Take the runner's log; returns where its notes are going to be."""
    for handler in runner.logger.handlers:
        handler.close()
    runner.logger.handlers = [_Notes()]
    return runner.logger.handlers[0].found


def _tell_work_dir(
    runner: Runner, work_dir: Path, path: str | None, resumes: bool
) -> str:
    """What is in it, and what becomes of that."""
    parent = existing(work_dir)
    said = f'The run would write to {work_dir}, but'
    if not parent.is_dir():
        raise NotADirectoryError(
            f'{said} {parent} is no folder. Give another --work-dir.'
        )
    if not os.access(parent, os.W_OK):
        raise PermissionError(
            f'{said} this user may not write to {parent}. Give another '
            '--work-dir.'
        )
    found, error = choose_checkpoint(runner, str(work_dir), path)
    if error and resumes:
        raise ValueError(error)
    if resumes:
        return f'{work_dir}, ' + (
            f'the run resumes from {found}'
            if found
            else 'without a checkpoint to resume from: the run starts over'
        )
    number = len([*work_dir.glob('*.pth')])
    if not number:
        return f'{work_dir}, ' + (
            'without a checkpoint' if work_dir.exists() else 'not there yet'
        )
    return (
        f'{work_dir} holds {count(number, "checkpoint")} of another run. '
        '--resume '
        + (
            f'would go on from {os.path.basename(found)}'
            if found
            else 'would go on from none of them'
        )
        + '; without it the run starts over and replaces those of the same '
        'name. Give it another --work-dir to keep them apart.'
    )


def _check_schedules(runner: Runner) -> list[str]:
    """Schedules that are not as long as the run, which counts anew.

    Another batch size or number of processes makes another number of steps.
    A cycle that is over raises an error; others go on with their last value.
    """
    loop, schedules = runner.train_loop, runner.param_schedulers or []
    if isinstance(schedules, dict):
        schedules = [x for each in schedules.values() for x in each]
    cut = []
    for schedule in schedules:
        name = type(schedule).__name__
        length = loop.max_epochs if schedule.by_epoch else loop.max_iters
        unit = 'epochs' if schedule.by_epoch else 'steps'
        end = schedule.end
        if isinstance(schedule, OneCycleParamScheduler):
            end = schedule.begin + schedule.total_steps
            if end < min(schedule.end, length):
                raise ValueError(
                    f'{name} has total_steps={schedule.total_steps} and would '
                    f'end the run in an error after them, because the run has '
                    f'{length} {unit}. Set total_steps of param_scheduler, or '
                    'another length by --epochs, --epoch-length or --iters.'
                )
        if length < end < _NEVER:
            cut.append(
                f'{name} ends after {end:,} {unit}, the run after {length:,}: '
                'it will not be completed.'
            )
    return cut


def _find_faults(trial: Trial, notes: list[str]) -> list[str]:
    """Damaged files that the trial met, too little data, a busy machine."""
    said = ' '.join(x for x in notes if not x.startswith('Bad sample'))
    faults = []
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > 1.5 * cores:
        faults.append(
            f'The machine is busy (load {load:.1f} on {cores} cores): alone, '
            'the training is faster than this.'
        )
    for name, task in trial.tasks.items():
        if task.samples < task.batch:
            faults.append(
                f'{name} has fewer samples ({task.samples}) than a batch '
                f'({task.batch}), so a batch has some of them more than once '
                'or is smaller. Give more data, or a smaller batch_size.'
            )
        for guard in inside(task.loader.dataset):
            if not isinstance(guard, BadSampleGuard):
                continue
            # files that could not be opened have been told of
            bad = [x for x in guard.bad_files() if printable(x) not in said]
            if bad:
                faults.append(
                    f'{name}: {count(len(bad), "file")} cannot be read, of '
                    'those that were tried, and replaced: '
                    f'{listing(bad)}'
                )
    return faults
