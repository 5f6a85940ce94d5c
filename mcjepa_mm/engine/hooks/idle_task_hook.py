from collections.abc import Iterator
from functools import partial
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mcjepa_mm.registry import HOOKS
from mcjepa_mm.utils.dist import unwrapped

from .multi_task_hook import MultiTaskHook
from .schedule_hook import ScheduleHook


@HOOKS.register_module()
class IdleTaskHook(Hook):
    """Warn about pretext tasks and loss terms without effect.

    Such a run looks as any other: its losses are finite and go down. Looked
    at are

    - a task that begins when the run is over;
    - a task whose head gets no gradient;
    - a term that is exactly zero for as long as ``interval``, unless a
      ``ScheduleHook`` holds its weight at zero now;
    - a motion task of which nearly all pixels are masked as occluded.

    Each is logged once, with the setting to check. A model without ``heads``
    is not checked.

    Args:
        interval (int): Steps of a task after which it is checked. Defaults
            to 50.
        max_occluded (float): Share of pixels that may be left out. Defaults
            to 0.95.

    Raises:
        ValueError: If ``interval`` is not positive.
    """

    # after the hooks that read the losses
    priority = 'LOW'

    def __init__(self, interval: int = 50, max_occluded: float = 0.95) -> None:
        if interval < 1:
            raise ValueError(f'interval must be 1 or more, got {interval}.')
        self.interval = interval
        self.max_occluded = max_occluded
        self._handles: list = []

    def before_train(self, runner: Runner) -> None:
        """Warn about tasks that never begin."""
        self._heads = dict(getattr(unwrapped(runner.model), 'heads', {}))
        self._steps = dict.fromkeys(self._heads, 0)
        self._zeros: dict[str, int] = {}
        self._gradients: dict[str, list[Tensor]] = {}
        self._said: set[str] = set()
        for hook in runner.hooks:
            if not isinstance(hook, MultiTaskHook):
                continue
            end = runner.max_epochs if hook.by_epoch else runner.max_iters
            unit = 'epochs' if hook.by_epoch else 'iterations'
            for task, begin in hook.begin.items():
                if begin >= end:
                    self._warn(
                        runner,
                        f'Task {task!r} is never trained: it begins after '
                        f'{begin} {unit} and the run ends after {end}. '
                        f'Lower begin.{task} of MultiTaskHook.',
                    )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Register gradient hooks on the heads that are due."""
        self._gradients = {}
        for task in self._tasks(data_batch):
            self._steps[task] += 1
            if self._steps[task] % self.interval:
                continue
            heard = self._gradients[task] = []
            self._handles += [
                parameter.register_hook(partial(_listen, heard))
                for parameter in self._heads[task].parameters()
                if parameter.requires_grad
            ]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Count zero terms and check the tasks that are due."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        for name, value in (outputs or {}).items():
            if isinstance(value, Tensor) and value.numel() == 1:
                is_zero = float(value) == 0
                self._zeros[name] = (
                    self._zeros.get(name, 0) + 1 if is_zero else 0
                )
        for task, gradients in self._gradients.items():
            self._look(runner, task, gradients)

    def _tasks(self, data_batch: Any) -> Iterator[str]:
        if isinstance(data_batch, dict):
            yield from (x for x in self._heads if x in data_batch)

    def _look(
        self, runner: Runner, task: str, gradients: list[Tensor]
    ) -> None:
        head, path = self._heads[task], f'heads.{task}'
        if not any(bool(x) for x in gradients):
            if self._held_at_zero(runner, f'{path}.loss_weight'):
                return
            if getattr(head, 'loss_weight', 1) == 0:
                reason = f'model.{path}.loss_weight is 0'
            elif not gradients:
                reason = (
                    'no weight of it is reached by its loss; check '
                    f'requires_grad and detach() in model.{path}'
                )
            else:
                reason = (
                    'all gradients are exactly 0; check the weights of '
                    f'its terms in model.{path}'
                )
            self._warn(runner, f'Task {task!r} learns nothing: {reason}.')
            return
        hidden = _share_left_out(head)
        if hidden > self.max_occluded:
            self._warn(
                runner,
                f'{hidden:.1%} of the pixels of task {task!r} are masked as '
                'occluded, so the flow has hardly any supervision. Lower '
                f'model.{path}.occlusion_weight (now '
                f'{head.occlusion_weight:g}), or begin its ramp by a '
                'ScheduleHook later.',
            )
            return  # which leaves zero of some terms
        for name, count in self._zeros.items():
            owner, _, term = name.partition('.')
            if owner != task or count < self.interval:
                continue
            setting, value = _coefficient(head, path, term)
            if value == 0 and self._held_at_zero(runner, setting):
                continue
            self._warn(
                runner,
                f'The loss term {name!r} has been exactly 0 for {count} '
                f'steps: look at model.{setting}'
                + ('.' if value is None else f', which is {value}.'),
            )

    def _held_at_zero(self, runner: Runner, setting: str) -> bool:
        """Whether a schedule holds this setting at zero now."""
        return any(
            isinstance(hook, ScheduleHook)
            and hook.target == setting
            and getattr(hook.owner, hook.name) == 0
            for hook in runner.hooks
        )

    def _warn(self, runner: Runner, text: str) -> None:
        # figures in it change
        key = ''.join(x for x in text if not x.isdigit())
        if key not in self._said:
            self._said.add(key)
            runner.logger.warning(text)


def _listen(heard: list[Tensor], gradient: Tensor) -> None:
    heard.append(gradient.detach().any())


def _coefficient(
    head: nn.Module, path: str, term: str
) -> tuple[str, float | tuple | None]:
    """Name of a term's coefficient, and its value if known."""
    losses = dict(getattr(head, 'losses', {}))
    for name in (term, term.partition('_')[0]):
        if name in losses:
            weight = losses[name].loss_weight
            part = term.removeprefix(f'{name}_')
            if weight and hasattr(losses[name], part):
                return f'{path}.losses.{name}.{part}', getattr(
                    losses[name], part
                )
            return f'{path}.losses.{name}.loss_weight', weight
    for name, module in head.named_children():
        if isinstance(getattr(module, term, None), float | int):
            return f'{path}.{name}.{term}', getattr(module, term)
    return path, None


def _share_left_out(head: nn.Module) -> float:
    """Share of the pixels that the occlusion mask leaves out."""
    visible = getattr(head, 'visible', None)
    if visible is None:
        return 0.0
    return head.occlusion_weight * (1 - float(visible.mean()))
