"""Training loop over the data of one or several tasks."""

from collections.abc import Mapping
from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from mcjepa_mm.engine.hooks.end_workers_hook import end_workers_of
from mcjepa_mm.engine.hooks.graceful_stop_hook import GracefulStopHook
from mcjepa_mm.engine.hooks.multi_task_hook import MultiTaskHook
from mcjepa_mm.engine.task_stream import TaskStream
from mcjepa_mm.registry import LOOPS
from mcjepa_mm.utils.dist import unwrapped
from mcjepa_mm.utils.random_state import seed_step

# By this name the main task's samples draw their random numbers, and its
# position stands in checkpoints.
_MAIN = 'train_dataloader'


@LOOPS.register_module(name=['MultiTaskTrainLoop', 'ResumableTrainLoop'])
class MultiTaskTrainLoop(EpochBasedTrainLoop):
    """Epoch-based training loop for several tasks with exact resume.

    Each step's batch is ``{task: batch}``. Which tasks are in it says
    ``schedule``, the runner's :class:`MultiTaskHook`; without one, all are in
    each step. An epoch is as many steps as the main task's data have batches;
    every task's data start again whenever they are exhausted. A dataloader
    that is not by task gives the model its batches as they are.

    A run that was killed and resumed computes what an unbroken one computes,
    bit for bit where the operators do (on a CPU they do), because

    - each step begins from random states that follow from the run's seed,
      the process and the number of the iteration;
    - each sample is augmented by the run's seed and its place in the pass;
    - checkpoints say how far the data of each task had been used.

    Args:
        runner (Runner): The runner.
        dataloader (dict): Configs of the dataloaders by task, or one config.
            A task that is None is left out.
        **kwargs: Of mmengine's ``EpochBasedTrainLoop``: ``max_epochs``,
            ``val_begin``, ``val_interval``, ``dynamic_intervals``.

    Attributes:
        schedule (MultiTaskHook): Which tasks are in a step.
        streams (dict[str, TaskStream]): The tasks' data, the main task's
            first. Without tasks it is that of 'train_dataloader'.

    Raises:
        ValueError: If the tasks are not those of the model's heads that have
            weights, or the main task is none of them.
    """

    def __init__(self, runner: Runner, dataloader: dict, **kwargs) -> None:
        hooks = [x for x in runner.hooks if isinstance(x, MultiTaskHook)]
        self.schedule = hooks[0] if hooks else MultiTaskHook()
        self._by_task = bool(hooks) or 'dataset' not in dataloader
        if not self._by_task:
            dataloader = {_MAIN: dataloader}
        dataloader = {k: v for k, v in dataloader.items() if v is not None}
        main = self.schedule.main_task or next(iter(dataloader), None)
        if self._by_task:
            _check_tasks(runner, main, dataloader, self.schedule)
        # the main task's first, as in a step
        self.streams = {
            task: TaskStream(
                task,
                dataloader[task],
                runner,
                key=_MAIN if task == main else task,
            )
            for task in sorted(dataloader, key=lambda task: task != main)
        }
        self._main = self.streams[main]
        self._batches = {k: x.endless() for k, x in self.streams.items()}
        self._done = 0
        super().__init__(runner, self._main.loader, **kwargs)
        runner.register_hook(_PositionHook(self))

    def run(self) -> nn.Module:
        """Train, from where a stopped run left off.

        The dataloaders' workers end with it, and the signal handlers of
        GracefulStopHook are restored, also if it is broken off.

        Returns:
            nn.Module: The trained model.
        """
        try:
            self._run()
        finally:
            # first, so that the end of a hanging worker can be interrupted
            for hook in self.runner.hooks:
                if isinstance(hook, GracefulStopHook):
                    hook.restore_handlers()
            end_workers_of(self.runner)
        return self.runner.model

    def _run(self) -> None:
        self.runner.call_hook('before_train')
        # A checkpoint of an epoch is written before its validation.
        if self._iter and not self._done:
            self._validate()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate()
        self.runner.call_hook('after_train')

    def _validate(self) -> None:
        """Validate if one is due after this epoch."""
        self._decide_current_val_interval()
        if (
            self.runner.val_loop is not None
            and self._epoch >= self.val_begin
            and (
                self._epoch % self.val_interval == 0
                or self._epoch == self._max_epochs
            )
        ):
            self.runner.val_loop.run()

    def run_epoch(self) -> None:
        """Iterate over an epoch, or the rest of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for step in range(self._done, len(self._main)):
            batch = self._load()
            self._done = step + 1
            self.run_iter(step, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self._done = 0

    def _load(self) -> Any:
        """Load the batch of the next step, by task."""
        tasks = self.schedule.turn(list(self.streams), self._epoch, self._iter)
        batch = {task: next(self._batches[task]) for task in tasks}
        return batch if self._by_task else batch[_MAIN]

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Iterate over one batch.

        Args:
            idx (int): Its number in the epoch.
            data_batch (Any): The batch, ``{task: batch}`` if data are by
                task.
        """
        seed_step(self.runner.seed, get_rank(), self._iter)
        super().run_iter(idx, data_batch)

    def state_dict(self) -> dict[str, dict]:
        """Return the position of each stream and of the epoch."""
        size = self._main.samples_per_batch
        streams = {x.key: x.state_dict() for x in self.streams.values()}
        epoch = dict(
            epoch=self._epoch, batches=self._done, samples_per_batch=size
        )
        return dict(streams=streams, epoch_position=epoch)

    def load_state_dict(self, state: dict[str, dict]) -> None:
        """Restore a saved state; streams that it lacks start over."""
        streams = state.get('streams', {})
        for stream in self.streams.values():
            if stream.key in streams:
                stream.load_state_dict(streams[stream.key])
                continue
            stream.begin(self._epoch)
            self.runner.logger.warning(
                'The checkpoint has no position of the data of '
                f'{stream.name!r}: they restart, so some samples are '
                'repeated.'
            )
        # older checkpoints have the position of the main task's data only
        position = state.get('epoch_position', streams.get(_MAIN))
        if position and position['epoch'] == self._epoch:
            samples = position['batches'] * position['samples_per_batch']
            self._done = samples // self._main.samples_per_batch


class _PositionHook(Hook):
    """Save the data positions of the loop in checkpoints."""

    def __init__(self, loop: MultiTaskTrainLoop) -> None:
        self.loop = loop
        self._saved: dict = {}

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint.update(self.loop.state_dict())

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        keys = ('streams', 'epoch_position')
        self._saved = {k: checkpoint[k] for k in keys if k in checkpoint}

    def before_train(self, runner: Runner) -> None:
        if runner.iter:
            self.loop.load_state_dict(self._saved)


def _check_tasks(
    runner: Runner, main: str | None, tasks: Mapping, schedule: MultiTaskHook
) -> None:
    heads = getattr(unwrapped(runner.model), 'heads', None)
    if heads is not None:
        # a head without weights may be there for the validation alone
        trained = {k for k, head in heads.items() if [*head.parameters()]}
        if not trained <= tasks.keys() <= set(heads):
            raise ValueError(
                f'The model has heads for {sorted(heads)}, train_dataloader '
                f'has data for {sorted(tasks)}. Give every head that is '
                'trained its data, and set to None what has no head.'
            )
    if main not in tasks:
        raise ValueError(
            f'The main task is {main!r}, train_dataloader has data for '
            f'{sorted(tasks)}. Set main_task of MultiTaskHook to one of them.'
        )
    others = tasks.keys() - {main}
    if schedule.begin.keys() - others:
        raise ValueError(
            f'begin of MultiTaskHook has {sorted(schedule.begin)}. The tasks '
            f'that can begin later are {sorted(others)}.'
        )
