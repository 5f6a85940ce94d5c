"""Use the config's learning rate schedule in a resumed run."""

import copy
import warnings
from typing import Any

from mmengine.runner import Runner

# How far a schedule has come, not what it is.
_PROGRESS = ('last_step', '_global_step', '_last_value', 'verbose')


class ConfigSchedule:
    """The parameter schedules of a config, before a checkpoint is loaded.

    mmengine loads all of a schedule from the checkpoint, its length too: a
    run that is resumed with more epochs would stay at the learning rate with
    which the shorter one ended.

    Args:
        runner (Runner): With its optimiser and its schedules built, before
            anything is loaded.
    """

    def __init__(self, runner: Runner) -> None:
        # with several optimisers they are a dict
        self._schedules = isinstance(runner.param_schedulers, list)
        if not self._schedules:
            return
        self._states = [
            copy.deepcopy(x.state_dict()) for x in runner.param_schedulers
        ]
        names = {x.param_name for x in runner.param_schedulers}
        # momentum is called betas in Adam's groups
        self._keys = {'betas', *names, *(f'initial_{x}' for x in names)}
        self._groups = [
            {k: group[k] for k in self._keys & group.keys()}
            for group in runner.optim_wrapper.param_groups
        ]

    def go_on(self, runner: Runner) -> str | None:
        """Switch a resumed run to the config's schedule, if it differs.

        The schedules are followed from their beginning to the iteration that
        the run has come to, as if they had always been the config's.

        Args:
            runner (Runner): After it has resumed, before its first step.

        Returns:
            str: What has been changed, in a line; None if nothing was.
        """
        if not self._schedules:
            return None
        schedules = runner.param_schedulers
        changes = [
            f'{type(x).__name__}: {change}'
            for x, state in zip(schedules, self._states)
            for change in _differences(x.state_dict(), state)
        ]
        if not changes:
            return None
        groups = runner.optim_wrapper.param_groups
        before = groups[0]['lr']
        for schedule, state in zip(schedules, self._states):
            schedule.load_state_dict(copy.deepcopy(state))
        for group, values in zip(groups, self._groups):
            group.update(values)
        epoch = len(runner.train_dataloader)
        with warnings.catch_warnings():
            # the optimiser has made these steps, in the run before
            warnings.filterwarnings('ignore', r'Detected call of .*\.step')
            for iteration in range(1, runner.iter + 1):
                for schedule in schedules:
                    if not schedule.by_epoch or iteration % epoch == 0:
                        schedule.step()
        return (
            f'The schedule of the config is not that of the checkpoint '
            f"({'; '.join(changes)}). The config's is used: the "
            f'learning rate after {runner.iter} iterations is '
            f'{groups[0]["lr"]:.3g}, it was {before:.3g}.'
        )


def _differences(saved: dict, wanted: dict) -> list[str]:
    """List the differences of two scheduler states as ``a 1 -> 2``."""
    changes = []
    for key, value in wanted.items():
        if key in _PROGRESS or key not in saved or callable(value):
            continue
        old, new = _plain(saved[key]), _plain(value)
        if old == new:
            continue
        # the phases of a one-cycle follow from its other settings
        if not key.startswith('_'):
            changes.append(f'{key} {_short(old)} -> {_short(new)}')
    return changes


def _plain(value: Any) -> Any:
    """Convert a value to the form that it has in a checkpoint."""
    if isinstance(value, (list, tuple)):
        return [_plain(x) for x in value]
    if isinstance(value, dict):
        return {str(k): _plain(x) for k, x in value.items()}
    return value


def _short(value: Any) -> str:
    if isinstance(value, list) and len(set(map(str, value))) == 1:
        value = value[0]
    return f'{value:g}' if isinstance(value, float) else str(value)
