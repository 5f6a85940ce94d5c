"""The lines that say what a training would do."""

import os
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import get_world_size
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import Dataset

from mcjepa_mm.datasets.clips import printable
from mcjepa_mm.datasets.frame_pairs import FramePairs
from mcjepa_mm.engine.trial_steps import Trial
from mcjepa_mm.utils.dist import unwrapped
from mcjepa_mm.utils.memory import machine_memory

_WIDTH = 88
_INDENT = 13  # of what stands beside its heading


def training_report(
    runner: Runner,
    trial: Trial,
    saving: list[CheckpointHook],
    work_dir: Path,
) -> list[str]:
    """A table of the tasks, their data, and a row for all else.

    Args:
        runner (Runner): After the trial.
        trial (Trial): What it told.
        saving (list[CheckpointHook]): The hooks of the run itself.
        work_dir (Path): Where the run would write.

    Returns:
        list[str]: Lines of at most 88 columns, unless a name is longer.
    """
    lines = [_tell_machine(runner), '', *_table(trial), '']
    for name, task in trial.tasks.items():
        lines += row(name, *_tell_data(task.loader.dataset))
    return [
        *lines,
        '',
        *row('run', _tell_length(runner)),
        *row('parameters', _tell_parameters(unwrapped(runner.model))),
        *row('memory', _tell_memory(trial)),
        *row('step', _tell_step(trial)),
        *row('time', _tell_time(runner, trial)),
        *row('validation', _tell_validation(runner)),
        *row(
            'checkpoints',
            *[_tell_saving(runner, x, trial, work_dir) for x in saving],
        ),
    ]


def row(heading: str, *texts: str) -> list[str]:
    """A heading, and beside it each text from a line of its own."""
    lines: list[str] = []
    for text in texts:
        first = heading.ljust(_INDENT) if not lines else ' ' * _INDENT
        lines += _wrap(text, first, ' ' * _INDENT)
    return lines


def wrapped(notes: list[str]) -> list[str]:
    """Notes as a list, each once."""
    return [
        line
        for text in dict.fromkeys(notes)
        for line in _wrap(text, '- ', '  ')
    ]


def inside(dataset: Any) -> Iterator[Any]:
    """A data set and those that it wraps or joins, at any depth."""
    yield dataset
    # not by getattr: some wrappers pass on what they are asked for
    held = vars(dataset)
    inner = [held.get('_dataset'), held.get('dataset')]
    for each in inner + [*(held.get('datasets') or ())]:
        if isinstance(each, Dataset):
            yield from inside(each)


def count(number: int, noun: str) -> str:
    """A number of things, in words."""
    return f'{number:,} {noun}{"s" * (number != 1)}'


def existing(path: Path) -> Path:
    """The path, or the nearest above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _tell_machine(runner: Runner) -> str:
    number, device = get_world_size(), get_device()
    if device == 'cuda':
        device = torch.cuda.get_device_name()
    elif device == 'cpu':
        device = f'CPU, {count(torch.get_num_threads(), "thread")}'
    name = os.path.basename(runner.cfg.filename or 'config')
    return f'{name}: {number} process{"es" * (number > 1)} on {device}'


def _table(trial: Trial) -> list[str]:
    rows = [
        ('task', 'samples', 'batch', 'steps', 'seen', 'passes', 'workers')
        + ('loading a batch',)
    ]
    for name, task in trial.tasks.items():
        seen = task.steps * task.batch
        rows.append(
            (name, f'{task.samples:,}', f'{task.batch}', f'{task.steps:,}')
            + (f'{seen:,}', f'{seen / task.samples:.3g}')
            + (f'{task.loader.num_workers}', _duration(task.seconds))
        )
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        row[0].ljust(widths[0])
        + ''.join(f'  {x:>{w}}' for x, w in zip(row[1:], widths[1:]))
        for row in rows
    ]


def _tell_data(dataset: Dataset) -> list[str]:
    """A line for each data set inside of what wraps or joins them."""
    lines = []
    for part in inside(dataset):
        if len([*inside(part)]) > 1:
            continue
        root = getattr(part, 'data_root', '')
        root = f' {printable(root)}' if root else ''
        text = f'{type(part).__name__}{root}: {len(part):,} samples'
        if isinstance(part, FramePairs):
            videos = sum(isinstance(x.frames, range) for x in part.clips)
            gaps = f'{part.frame_gap}'
            if part.max_gap > part.frame_gap:
                gaps += f' to {part.max_gap}'
            text += (
                f' of 2 frames, {gaps} apart, in '
                f'{count(len(part.clips), "clip")}, {videos:,} of them videos'
            )
        lines.append(text)
    return lines


def _tell_length(runner: Runner) -> str:
    loop = runner.train_loop
    if not isinstance(loop, EpochBasedTrainLoop):
        return f'{loop.max_iters:,} steps'
    return (
        f'{count(loop.max_epochs, "epoch")} of '
        f'{count(len(loop.dataloader), "step")}, {loop.max_iters:,} in all'
    )


def _tell_parameters(model: nn.Module) -> str:
    def size(module: nn.Module) -> int:
        return sum(x.numel() for x in module.parameters())

    parts: dict[str, int] = {}
    for name, child in model.named_children():
        inner = child.items() if isinstance(child, nn.ModuleDict) else ()
        parts |= {f'{name}.{k}': size(x) for k, x in inner}
        if not inner:
            parts[name] = size(child)
    frozen = sum(x.numel() for x in model.parameters() if not x.requires_grad)
    return (
        f'{size(model):,}: '
        + ', '.join(f'{name} {n:,}' for name, n in parts.items() if n)
        + f'; {frozen:,} are not trained' * bool(frozen)
    )


def _tell_memory(trial: Trial) -> str:
    if torch.cuda.is_available():
        whole = torch.cuda.mem_get_info()[1]
        return f"{_size(trial.memory)} of the GPU's {_size(whole)}"
    workers = sum(x.loader.num_workers for x in trial.tasks.values())
    beside = (
        f', beside {workers} workers of at most '
        f'{_size(trial.worker_memory)}, partly shared'
    )
    return (
        f"{_size(trial.memory)} of the machine's {_size(machine_memory())}"
        + beside * bool(workers)
    )


def _tell_step(trial: Trial) -> str:
    return (
        f'{_duration(mean(trial.steps))}, and {_duration(mean(trial.waits))} '
        f'waiting for data (mean of {len(trial.steps)} after a first one of '
        f'{_duration(trial.first)})'
    )


def _tell_time(runner: Runner, trial: Trial) -> str:
    steps, pace = runner.train_loop.max_iters, trial.pace()
    text = f'about {_duration(pace * steps)} for {steps:,} steps'
    if pace > 1.1 * mean(trial.steps):
        text += f' of {_duration(pace)}, for the data are slower than a step'
    late = [x for x, task in trial.tasks.items() if task.steps < steps]
    if late and trial.turns == 1:
        text += f', each with {" and ".join(late)}'
    return f'{text}; validation, pictures and checkpoints not counted'


def _tell_validation(runner: Runner) -> str:
    if runner.val_loop is None:
        return 'none'
    loop = runner.train_loop
    unit = 'epochs' if isinstance(loop, EpochBasedTrainLoop) else 'steps'
    return (
        f'every {loop.val_interval:,} {unit}, '
        f'{len(runner.val_loop.dataloader):,} batches'
    )


def _tell_saving(
    runner: Runner, hook: CheckpointHook, trial: Trial, work_dir: Path
) -> str:
    loop = runner.train_loop
    length, unit = loop.max_iters, 'steps'
    if hook.by_epoch:
        length, unit = loop.max_epochs, 'epochs'
    interval = hook.interval if hook.interval > 0 else length + 1
    number, rest = divmod(length, interval)
    when = [f'every {interval:,} {unit}'] * (hook.interval > 0)
    if hook.save_last:
        number += rest > 0
        when.append('at the end')
    if not number:
        return 'none: nothing of the training is kept'
    most = hook.max_keep_ckpts
    kept = min(number, most) if most > 0 else number
    free = shutil.disk_usage(existing(Path(hook.out_dir or work_dir))).free
    best = f', beside the best of {hook.save_best}' * bool(hook.save_best)
    return (
        f'{" and ".join(when)}, {number:,} in all, {kept:,} kept{best}; about '
        f'{_size(trial.checkpoint)} each, {_size(free)} free'
    )


def _wrap(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _size(number: float) -> str:
    unit, *larger = 'B', 'kB', 'MB', 'GB', 'TB'
    while number >= 1000 and larger:
        number, unit = number / 1000, larger.pop(0)
    return f'{number:.3g} {unit}'


def _duration(seconds: float) -> str:
    """Two digits or more of a length of time, in a unit that suits."""
    for unit, size in (('s', 1), ('min', 60)):
        if seconds < 90 * size:
            return f'{seconds / size:.2g} {unit}'
    return f'{seconds / 3600:.1f} h'
