from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mcjepa_mm.registry import HOOKS

STRATEGIES = ('combined', 'alternate_batches', 'alternate_epochs')


@HOOKS.register_module()
class MultiTaskHook(Hook):
    """Schedule which tasks are part of each training step.

    :class:`~mcjepa_mm.engine.loops.MultiTaskTrainLoop` has the tasks' data
    and asks :meth:`turn` before each step. Without this hook, all tasks are
    in every step.

    What a step holds depends on the strategy (paper's sampling ablation, p):
    'combined' every task that has begun, 'alternate_batches' one of them,
    another one at the next step, 'alternate_epochs' one of them for an
    epoch.

    Every process makes the same decision, because it depends on the numbers
    of the epoch and the iteration only. A task that is not in the
    step leaves its head without a gradient, so distributed training of a
    config in which that happens needs ``find_unused_parameters = True``.

    Args:
        main_task (str, optional): The task whose data say how long an epoch
            is. By default the first of ``train_dataloader``.
        begin (dict[str, int], optional): The number of epochs, or iterations,
            after which a task joins (flow after 10 of 100 epochs, P). By
            default from the beginning; the main task always does.
        strategy (str): 'combined', 'alternate_batches' or
            'alternate_epochs'. Defaults to 'combined'.
        by_epoch (bool): Whether ``begin`` counts epochs. Defaults to True.

    Raises:
        ValueError: For an unknown strategy.
        TypeError: Before training, if the loop is another one.
    """

    def __init__(
        self,
        main_task: str | None = None,
        begin: dict[str, int] | None = None,
        strategy: str = 'combined',
        by_epoch: bool = True,
    ) -> None:
        if strategy not in STRATEGIES:
            raise ValueError(
                f'strategy must be one of {STRATEGIES}, got {strategy!r}.'
            )
        self.main_task = main_task
        self.begin = begin or {}
        self.strategy = strategy
        self.by_epoch = by_epoch

    def before_train(self, runner: Runner) -> None:
        """Check that the training loop uses this hook."""
        loop = runner.train_loop
        if getattr(loop, 'schedule', None) is not self:
            raise TypeError(
                'MultiTaskHook goes with data by task, train_dataloader='
                'dict(content=dict(...), ...), and train_cfg=dict(type='
                f"'MultiTaskTrainLoop', max_epochs=...); got a "
                f'{type(loop).__name__}.'
            )

    def turn(
        self, tasks: Sequence[str], epoch: int, iteration: int
    ) -> list[str]:
        """Return the tasks of a step.

        Args:
            tasks (Sequence[str]): All of them, the main one first.
            epoch (int): The number of the epoch.
            iteration (int): The number of the step in the whole run.

        Returns:
            list[str]: Those in the step, in the same order.
        """
        now = epoch if self.by_epoch else iteration
        active = [x for x in tasks if now >= self.begin.get(x, 0)]
        if self.strategy == 'combined':
            return active
        step = epoch if self.strategy == 'alternate_epochs' else iteration
        return [active[step % len(active)]]
