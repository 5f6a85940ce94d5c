from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor

from mcjepa_mm.engine.loss_terms import LossTerms
from mcjepa_mm.engine.sample_names import sample_names, shorten
from mcjepa_mm.engine.unwrapped import unwrapped
from mcjepa_mm.registry import HOOKS


@HOOKS.register_module()
class LossGuardHook(Hook):
    """Stop before the optimiser learns from a loss that is NaN or infinite.

    The message names the terms, the iteration, the process and the samples
    of its batch. All processes stop at the same step, also if the loss of
    one alone is at fault. A step that float16's ``GradScaler`` leaves out
    because gradients overflowed is no fault; a loss that is not finite is,
    also when the scaler left the step out.

    It takes the terms where ``parse_losses`` returns them and looks at them
    where the ``OptimWrapper`` would make its step, after the backward pass
    has been handed to the device; for a while it replaces both methods. What
    the log reads is taken from the same copy, so on a GPU each step waits
    once for its forward pass and not, as by mmengine alone, for the device
    once per term. The logged terms are means over the processes.

    A tolerated step leaves the weights, the optimiser's state, a gradient
    scaler's and the model's buffers (a batch norm's statistics) as they were.
    With gradient accumulation that is the whole optimiser step of which one
    forward pass was at fault.

    Args:
        tolerate (int): How many optimiser steps in a row may be left out
            before the run stops. Above 0, the log has ``tolerated_steps``,
            the number in the whole run. Defaults to 0.

    Raises:
        ValueError: If ``tolerate`` is negative.
        TypeError: Before training, if the run has not one optimiser in an
            mmengine ``OptimWrapper``, or its model no ``parse_losses``.
        FloatingPointError: On every process, when the run has to stop.
    """

    # Before RuntimeInfoHook reads the log's values.
    priority = 'HIGHEST'

    def __init__(self, tolerate: int = 0) -> None:
        if tolerate < 0:
            raise ValueError(f'tolerate must be 0 or more, got {tolerate}.')
        self.tolerate = tolerate
        self._undo = []

    def before_train(self, runner: Runner) -> None:
        """Stand behind ``parse_losses`` and before the optimiser's step."""
        model, wrapper = unwrapped(runner.model), runner.optim_wrapper
        if (
            not isinstance(wrapper, OptimWrapper)
            or isinstance(wrapper, OptimWrapperDict)
            or not hasattr(model, 'parse_losses')
        ):
            raise TypeError(
                'LossGuardHook guards one optimiser in an OptimWrapper and '
                'a model with parse_losses, got a '
                f'{type(wrapper).__name__} and a {type(model).__name__}. To '
                'train without it, set default_hooks.loss_guard to None.'
            )
        # A run that failed may be started again.
        self._release()
        self._pending: list[LossTerms] = []
        self._leave_out = False
        counts = runner.message_hub.runtime_info.get('loss_guard', {})
        self._total = counts.get('total', 0)
        self._in_row = counts.get('in_row', 0)
        self._buffers = list(model.buffers()) if self.tolerate else []
        self._saved: list[Tensor] = []

        parse, step = model.parse_losses, wrapper.step

        def parse_losses(losses: dict) -> tuple:
            total, log_vars = parse(losses)
            terms = LossTerms(total, log_vars)
            self._pending.append(terms)
            return total, terms.log_vars

        # schedulers look for the mark that they have left on it
        @wraps(step)
        def guarded_step(**kwargs) -> None:
            self._look(runner)
            # Before gradients are clipped, so that no NaN is in their log.
            # They are set to zero after the step in any case.
            if not self._leave_out:
                step(**kwargs)

        self._undo = [
            _replace(model, 'parse_losses', parse_losses),
            _replace(wrapper, 'step', guarded_step),
        ]

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Remember the batch, and the buffers that a pass may spoil."""
        self._batch = data_batch
        self._pending.clear()
        # With accumulation those before the first pass of a step are needed.
        if runner.optim_wrapper.should_update() or not self._saved:
            self._saved = [buffer.clone() for buffer in self._buffers]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Look at passes that no step followed, and count."""
        self._look(runner)
        if runner.optim_wrapper.should_update():
            if self._leave_out:
                for buffer, saved in zip(
                    self._buffers, self._saved, strict=True
                ):
                    buffer.copy_(saved)
            else:
                self._in_row = 0
            self._leave_out = False
        if self.tolerate:
            runner.message_hub.update_scalar(
                'train/tolerated_steps', self._total
            )
            runner.message_hub.update_info(
                'loss_guard', dict(total=self._total, in_row=self._in_row)
            )

    def after_train(self, runner: Runner) -> None:
        """Leave the model and the optimiser as they were."""
        self._release()

    def _release(self) -> None:
        for undo in self._undo:
            undo()
        self._undo = []

    def _look(self, runner: Runner) -> None:
        pending, self._pending = self._pending, []
        for terms in pending:
            guilty = terms.not_finite()
            if guilty:
                self._judge(runner, guilty)

    def _judge(
        self, runner: Runner, guilty: dict[int, dict[str, float]]
    ) -> None:
        """Stop or leave the step out; the same on every process."""
        if not self._leave_out:
            self._leave_out = True
            self._in_row += 1
            self._total += 1
        lines = [f'The loss of iteration {runner.iter + 1} is not finite.']
        tasks = {rank: self._tasks(terms) for rank, terms in guilty.items()}
        names = all_gather_object(
            {
                task: sample_names(self._batch, task)
                for task in set().union(*tasks.values())
            }
        )
        for rank, terms in guilty.items():
            values = ', '.join(f'{k} is {v}' for k, v in terms.items())
            lines.append(f'Rank {rank}: {values}.')
            lines += [
                f'Samples of {task or "the batch"} on rank {rank}: '
                f'{shorten(names[rank][task])}.'
                for task in tasks[rank]
                if names[rank].get(task)
            ]
        if self._in_row > self.tolerate:
            lines.append(
                'The optimiser step was not taken, so weights and optimiser '
                f'are those after iteration {runner.iter}'
                + (
                    f'; {self._in_row} steps in a row were at fault, '
                    f'{self.tolerate} are tolerated'
                    if self.tolerate
                    else ''
                )
                + '. What to look at is in docs/numerics.md.'
            )
            raise FloatingPointError('\n'.join(lines))
        lines.append(
            f'The optimiser step is left out, {self._in_row} in a row of '
            f'{self.tolerate} tolerated, {self._total} in all.'
        )
        runner.logger.warning('\n'.join(lines))

    def _tasks(self, terms: dict[str, float]) -> list[str | None]:
        """Of terms named ``task.term`` the tasks; None is the whole batch."""
        batch = self._batch if isinstance(self._batch, dict) else {}
        tasks = (name.partition('.')[0] for name in terms)
        return list(
            dict.fromkeys(task if task in batch else None for task in tasks)
        )


def _replace(owner: Any, name: str, method: Callable) -> Callable:
    """Give one object another method; returns what gives back the old one."""
    if name in vars(owner):
        undo = partial(setattr, owner, name, vars(owner)[name])
    else:
        undo = partial(delattr, owner, name)
    setattr(owner, name, method)
    return undo
