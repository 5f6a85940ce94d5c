from collections.abc import Iterator

from mmengine.runner import Runner

from mcjepa_mm.engine.task_stream import TaskStream
from mcjepa_mm.engine.unwrapped import unwrapped
from mcjepa_mm.registry import HOOKS

from .stream_position_hook import StreamPositionHook

STRATEGIES = ('combined', 'alternate_batches', 'alternate_epochs')


@HOOKS.register_module()
class MultiTaskHook(StreamPositionHook):
    """Put the batches of several tasks into each training step.

    The runner's own ``train_dataloader`` belongs to the main task and says
    how long an epoch is. This hook owns the dataloaders of the other tasks
    and turns the runner's batch into ``{task: batch}``, in place, before the
    step. The others' dataloaders start again whenever they are exhausted.

    What a step holds depends on the strategy (paper's sampling ablation, p):
    'combined' every task that has begun, 'alternate_batches' one of them,
    another one at the next step, 'alternate_epochs' one of them for an
    epoch. When it is not the main task's turn, its batch has been loaded by
    the runner all the same and is dropped.

    Every process comes to the same decision, because it depends on nothing
    but the numbers of the epoch and the iteration. A task that is not in the
    step leaves its head without a gradient, so distributed training of a
    config in which that happens needs ``find_unused_parameters = True``.

    Args:
        main_task (str): The task of the runner's ``train_dataloader``.
        tasks (dict[str, dict]): For every other task its ``dataloader``
            (config as for the runner) and, optionally, ``begin``: the number
            of epochs, or iterations, after which it joins (flow after 10 of
            100 epochs, P). Defaults to no other task.
        strategy (str): 'combined', 'alternate_batches' or
            'alternate_epochs'. Defaults to 'combined'.
        by_epoch (bool): Whether ``begin`` counts epochs. Defaults to True.

    Raises:
        ValueError: For an unknown strategy; before training, if the tasks
            are not those of the model's heads that have weights, each with
            a dataloader.
    """

    # Before the timer hook, so that waiting for these dataloaders is counted
    # as the time that data takes.
    priority = 'VERY_HIGH'

    def __init__(
        self,
        main_task: str,
        tasks: dict[str, dict] | None = None,
        strategy: str = 'combined',
        by_epoch: bool = True,
    ) -> None:
        # they are built when the training begins
        super().__init__(streams=[])
        if strategy not in STRATEGIES:
            raise ValueError(
                f'strategy must be one of {STRATEGIES}, got {strategy!r}.'
            )
        self.main_task = main_task
        self.tasks = tasks or {}
        self.strategy = strategy
        self.by_epoch = by_epoch
        self._batches: dict[str, Iterator] = {}

    def before_train(self, runner: Runner) -> None:
        """Check the tasks and build their dataloaders.

        All of them now, also those that begin later, so that a missing
        folder does not end a run after ten epochs.
        """
        model = unwrapped(runner.model)
        named = {self.main_task, *self.tasks}
        without = sorted(
            name
            for name, task in self.tasks.items()
            if not task.get('dataloader')
        )
        # a head without weights may be there for the validation alone
        trained = {
            k for k, head in model.heads.items() if [*head.parameters()]
        }
        if not trained <= named <= set(model.heads) or without:
            raise ValueError(
                f'The model has heads for {sorted(model.heads)}; '
                f'MultiTaskHook has the main task {self.main_task!r} and '
                f'{sorted(self.tasks)}'
                + (
                    f', of which {without} have no dataloader'
                    if without
                    else ''
                )
                + '. Give every head its task and every task but the '
                'main one a `dataloader`, also if it begins later.'
            )
        self.streams = [
            TaskStream(name, task['dataloader'], runner)
            for name, task in self.tasks.items()
        ]
        super().before_train(runner)
        self._batches = {x.name: x.endless() for x in self.streams}

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Replace the main task's batch by the batches of this step."""
        main = dict(data_batch)
        data_batch.clear()
        for name in self.turn(runner.epoch, runner.iter):
            data_batch[name] = (
                main if name == self.main_task else next(self._batches[name])
            )

    def turn(self, epoch: int, iteration: int) -> list[str]:
        """The tasks of a step, by the number of its epoch and iteration."""
        now = epoch if self.by_epoch else iteration
        active = [self.main_task] + [
            name
            for name, task in self.tasks.items()
            if now >= task.get('begin', 0)
        ]
        if self.strategy == 'combined':
            return active
        step = epoch if self.strategy == 'alternate_epochs' else iteration
        return [active[step % len(active)]]
