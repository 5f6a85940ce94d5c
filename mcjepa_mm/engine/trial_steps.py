"""Time a few real training steps without side effects."""

import math
import resource
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mcjepa_mm.engine.hooks.bad_sample_hook import BadSampleHook
from mcjepa_mm.engine.hooks.end_workers_hook import end_workers_of
from mcjepa_mm.engine.hooks.graceful_stop_hook import GracefulStopHook
from mcjepa_mm.engine.loops import MultiTaskTrainLoop
from mcjepa_mm.utils.dist import unwrapped


@dataclass
class Task:
    """The data of one task.

    Attributes:
        loader (DataLoader): Its dataloader.
        steps (int): How many steps of the run train it.
        seconds (float): What a batch takes to load, in one process.
    """

    loader: DataLoader
    steps: int
    seconds: float = 0.0

    @property
    def samples(self) -> int:
        """int: Number of samples of the data set."""
        return len(self.loader.dataset)

    @property
    def batch(self) -> int:
        """int: Samples of a batch, of all processes together."""
        return self.loader.batch_sampler.batch_size * get_world_size()


@dataclass
class Trial:
    """Measurements of a run's first steps.

    Attributes:
        tasks (dict[str, Task]): By name; 'train' where tasks have no names.
        length (int): Steps of the whole run.
        turns (int): Steps in which each task's turn comes once.
        first (float): Seconds of the first step, which warms up.
        steps (list[float]): Seconds of those after it, without data.
        waits (list[float]): Seconds that these waited for data.
        memory (int): Most bytes that the model's device has held: of a CPU
            those resident in this process.
        worker_memory (int): Likewise of the largest of the dataloaders'
            workers, of which a part may be shared.
        checkpoint (int): Bytes of a checkpoint's tensors.
    """

    tasks: dict[str, Task]
    length: int
    turns: int = 1
    first: float = 0.0
    steps: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    memory: int = 0
    worker_memory: int = 0
    checkpoint: int = 0

    def pace(self) -> float:
        """Seconds of a step with its data, once the run has settled.

        Workers load while the model computes, so the slower one counts.
        Without workers both do. Of a task that loads a batch in each
        ``n``-th step, the ``n``-th part counts.
        """
        step, beside = mean(self.steps), [0.0]
        for task in self.tasks.values():
            seconds = task.seconds * task.steps / self.length
            if task.loader.num_workers:
                beside.append(seconds / task.loader.num_workers)
            else:
                step += seconds
        return max(step, *beside)


class _EnoughError(Exception):
    """Raised to end the trial."""


def run_trial(runner: Runner, steps: int = 3) -> Trial:
    """Train a few steps with all tasks, also those that begin later.

    The runner is used up. What its hooks write goes to its work dir; no
    checkpoint is written, and a signal ends the program as any other.

    Args:
        runner (Runner): Not started.
        steps (int): How many, the first one included, which warms up. Where
            tasks take turns, each comes as often. Defaults to 3.

    Returns:
        Trial: What was found.

    Raises:
        ValueError: If the run has no step, or its loss is not finite.
    """
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook):
            hook.interval, hook.save_last, hook.out_dir = -1, False, None
    # a trial ends early: the one would report that when the process ends
    left_out = (BadSampleHook, GracefulStopHook)
    runner._hooks = [x for x in runner.hooks if not isinstance(x, left_out)]
    hook = _TrialHook(steps)
    runner.register_hook(hook)
    try:
        runner.train()
    except _EnoughError:
        pass
    finally:
        end_workers_of(runner)
    trial = hook.trial
    trial.memory, trial.worker_memory = _peak_memory()
    trial.checkpoint = _size(unwrapped(runner.model).state_dict()) + _size(
        runner.optim_wrapper.state_dict()
    )
    for task in trial.tasks.values():
        task.seconds = _seconds_of_sample(task.loader.dataset) * (
            task.loader.batch_sampler.batch_size
        )
    return trial


class _TrialHook(Hook):
    """Time the steps and end the run."""

    # behind all others: what they do is part of a step
    priority = 'LOWEST'

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def before_train(self, runner: Runner) -> None:
        loop = runner.train_loop
        if not loop.max_iters or not len(loop.dataloader):
            raise ValueError(
                'The run has no step: its dataloader gives no batch of '
                f'{len(loop.dataloader.dataset)} samples. Give more data, a '
                'smaller batch_size or drop_last=False.'
            )
        self.trial = Trial(_tasks(runner), loop.max_iters)
        if schedule := getattr(loop, 'schedule', None):
            # all of them now; IdleTaskHook has looked at `begin` before
            schedule.begin = {}
            if schedule.strategy != 'combined':
                schedule.strategy = 'alternate_batches'
                self.trial.turns = len(self.trial.tasks)
        self.last = min(self.steps * self.trial.turns, loop.max_iters)
        self.times: list[float] = []
        self.waits: list[float] = []
        self.end = time.perf_counter()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        self.begin = time.perf_counter()
        self.waits.append(self.begin - self.end)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        loss = torch.as_tensor((outputs or {}).get('loss', 0)).item()
        if not math.isfinite(loss):
            raise ValueError(
                f'The loss of step {len(self.waits)} is {loss}: look at the '
                'data, the learning rate and the precision.'
            )
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.end = time.perf_counter()
        self.times.append(self.end - self.begin)
        if len(self.times) < self.last:
            return
        trial, after = self.trial, self.trial.turns
        trial.first = self.times[0]
        # a run of one step has no other
        trial.steps = self.times[after:] or self.times
        trial.waits = self.waits[after:] or self.waits
        raise _EnoughError


def _tasks(runner: Runner) -> dict[str, Task]:
    """Every task's data and its number of steps in the whole run."""
    loop = runner.train_loop
    if not isinstance(loop, MultiTaskTrainLoop):
        return dict(train=Task(loop.dataloader, loop.max_iters))
    epoch = len(loop.dataloader)
    turns: Counter[str] = Counter()
    for iteration in range(loop.max_iters):
        turns.update(
            loop.schedule.turn([*loop.streams], iteration // epoch, iteration)
        )
    return {
        name: Task(stream.loader, turns[name])
        for name, stream in loop.streams.items()
    }


def _peak_memory() -> tuple[int, int]:
    unit = 1 if sys.platform == 'darwin' else 1024
    own, children = (
        resource.getrusage(who).ru_maxrss * unit
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    if torch.cuda.is_available():
        own = torch.cuda.max_memory_reserved()
    return own, children


def _size(content: Any) -> int:
    """Bytes of the tensors in nested dicts and lists."""
    if isinstance(content, Tensor):
        return content.numel() * content.element_size()
    if isinstance(content, Mapping):
        content = list(content.values())
    if isinstance(content, (list, tuple)):
        return sum(map(_size, content))
    return 0


def _seconds_of_sample(
    dataset: Dataset, most: int = 8, limit: float = 3.0
) -> float:
    """Mean time to load a sample, over a few of the data set."""
    number = min(most, len(dataset))
    begin = time.perf_counter()
    for k in range(number):
        dataset[k * len(dataset) // number]
        passed = time.perf_counter() - begin
        if passed > limit:
            break
    return passed / (k + 1)
