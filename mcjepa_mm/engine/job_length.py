"""Change the length of a job and scale its schedules with it."""

from collections.abc import Callable
from typing import Any

from mmengine.config import Config

from mcjepa_mm.engine.data_by_task import main_task

# Arguments of mmengine's schedules that count epochs or iterations. With
# fractions of an epoch they are converted to iterations; those of the second
# row stay whole.
_TIMES = ('begin', 'end', 'T_max')
_WHOLE_TIMES = ('total_steps', 'step_size', 'milestones', 'periods')

Scale = Callable[[float], float]


def set_job_length(
    cfg: Config,
    *,
    epochs: int | None = None,
    epoch_length: int | None = None,
    iters: int | None = None,
) -> None:
    """Set the number of epochs or iterations of a config, in place.

    Schedules of learning rates, ramps, beginnings of tasks and intervals of
    checkpoints, pictures and validations keep their share of the job. What
    happens every so many iterations, such as a line of the log, stays.

    Args:
        cfg (Config): With ``train_cfg`` and ``train_dataloader``.
        epochs (int, optional): Of a job that is counted in epochs.
        epoch_length (int, optional): Iterations of each of its epochs: the
            first ones of the data set, at most as many as there are.
        iters (int, optional): Of a job that is counted in iterations.

    Raises:
        ValueError: If a number is not positive, or does not go with what the
            config counts; if it has a schedule in iterations that does not
            say how long an epoch was.
    """
    given = dict(epochs=epochs, epoch_length=epoch_length, iters=iters)
    for name, value in given.items():
        if value is not None and value < 1:
            raise ValueError(f'{name} must be 1 or more, got {value}.')
    if all(value is None for value in given.values()):
        return
    train_cfg = cfg.train_cfg
    in_epochs = train_cfg.get('max_epochs') is not None
    if in_epochs and iters is not None:
        raise ValueError(
            f'The job counts epochs ({train_cfg.max_epochs}): give it '
            'epochs and epoch_length in place of iters.'
        )
    if not in_epochs and iters is None:
        raise ValueError(
            f'The job counts iterations ({train_cfg.get("max_iters")}): give '
            'it iters in place of epochs and epoch_length.'
        )
    if in_epochs:
        old = train_cfg.max_epochs
        new = epochs or old
        train_cfg.max_epochs = new
        by_epoch = _scale(old, new)
        by_iter: Scale | None = by_epoch
        if epoch_length is not None:
            was = _epoch_length(cfg, old)
            by_iter = (
                None if was is None else _scale(old * was, new * epoch_length)
            )
            _main_data(cfg)['num_batch_per_epoch'] = epoch_length
    else:
        assert iters is not None
        by_iter = by_epoch = _scale(train_cfg.max_iters, iters)
        train_cfg.max_iters = iters
    _scale_all(cfg, by_epoch, by_iter, in_epochs, epoch_length)


def keep_warm_up(cfg: Config) -> None:
    """Make one-cycle schedules with a one-step warm-up valid, in place.

    mmengine divides by the length of that rise, 0.

    Args:
        cfg (Config): With or without ``param_scheduler``.
    """
    for schedule in _list(cfg.get('param_scheduler')):
        share = schedule.get('pct_start', 0.3)  # mmengine's
        if share * (schedule.get('total_steps') or 0) == 1:
            schedule['pct_start'] = share * (1 + 1e-6)


def _scale(old: int, new: int) -> Scale:
    # multiplied first: what was all of the job is all of it again
    return lambda number: number * new / old


def _main_data(cfg: Config) -> dict:
    """Config of the dataloader that defines the epoch length."""
    task = main_task(cfg)
    return cfg.train_dataloader[task] if task else cfg.train_dataloader


def _epoch_length(cfg: Config, epochs: int) -> int | None:
    """Iterations of an epoch, if the config has them."""
    for schedule in _list(cfg.get('param_scheduler')):
        if schedule.get('total_steps') and not schedule.get('by_epoch', True):
            return schedule.total_steps // epochs
    return _main_data(cfg).get('num_batch_per_epoch')


def _scale_all(
    cfg: Config,
    by_epoch: Scale,
    by_iter: Scale | None,
    in_epochs: bool,
    epoch_length: int | None,
) -> None:
    def scale(counts_epochs: bool, what: str) -> Scale:
        if counts_epochs:
            return by_epoch
        if by_iter is None:
            raise ValueError(
                f'{what} counts iterations, and the config does not say how '
                'many an epoch has had: set num_batch_per_epoch of the main '
                "task's dataloader to that, or let it count epochs "
                '(by_epoch=True).'
            )
        return by_iter

    _scale_intervals(cfg.train_cfg, scale(in_epochs, 'train_cfg'))
    for schedule in _list(cfg.get('param_scheduler')):
        counts_epochs = schedule.get('by_epoch', True)
        _scale_schedule(
            schedule,
            scale(counts_epochs, schedule.type),
            epoch_length if counts_epochs else None,
        )
    hooks = [*(cfg.get('default_hooks') or {}).values()]
    for hook in [*hooks, *(cfg.get('custom_hooks') or [])]:
        kind = str(hook.get('type') if hook else None).rpartition('.')[-1]
        if kind not in _HOOKS:
            continue
        counts_epochs = hook.get('by_epoch', True)
        _HOOKS[kind](hook, scale(counts_epochs, kind))


def _scale_intervals(train_cfg: dict, scale: Scale) -> None:
    for key in ('val_interval', 'val_begin'):
        if train_cfg.get(key):
            train_cfg[key] = _whole(scale(train_cfg[key]))
    if train_cfg.get('dynamic_intervals'):
        train_cfg['dynamic_intervals'] = [
            (int(scale(begin)), _whole(scale(interval)))
            for begin, interval in train_cfg['dynamic_intervals']
        ]


def _scale_schedule(
    schedule: dict, scale: Scale, epoch_length: int | None
) -> None:
    for key in _WHOLE_TIMES:
        value = schedule.get(key)
        if isinstance(value, (list, tuple)):
            schedule[key] = [_whole(scale(x)) for x in value]
        elif value is not None:
            schedule[key] = _whole(scale(value))
    times = {k: schedule[k] for k in _TIMES if schedule.get(k) is not None}
    times = {k: scale(x) for k, x in times.items()}
    shortest = 1.0
    if not schedule.get('by_epoch', True):
        times = {k: round(x) for k, x in times.items()}
    elif all(float(x).is_integer() for x in times.values()):
        times = {k: int(x) for k, x in times.items()}
    else:
        schedule['convert_to_iter_based'] = True
        # one iteration, where the length of an epoch is known
        shortest = 1 / epoch_length if epoch_length else 0.0
    schedule.update(times)
    if schedule.get('end') is not None:
        least = schedule.get('begin', 0) + shortest
        if schedule['end'] < least:
            schedule['end'] = type(schedule['end'])(least)


def _scale_ramp(hook: dict, scale: Scale) -> None:
    for key in ('begin', 'length'):
        if hook.get(key):
            hook[key] = scale(hook[key])


def _scale_tasks(hook: dict, scale: Scale) -> None:
    for task, begin in (hook.get('begin') or {}).items():
        # a task joins between epochs, and before the ramps of its terms
        hook['begin'][task] = int(scale(begin))


def _scale_interval(hook: dict, scale: Scale) -> None:
    hook['interval'] = _whole(scale(hook.get('interval', 1)))


_HOOKS: dict[str, Callable[[dict, Scale], None]] = dict(
    ScheduleHook=_scale_ramp,
    MultiTaskHook=_scale_tasks,
    CheckpointHook=_scale_interval,
    SafeCheckpointHook=_scale_interval,
    PretrainVisualizationHook=_scale_interval,
)


def _whole(number: float) -> int:
    return max(1, round(number))


def _list(value: Any) -> list:
    return value if isinstance(value, list) else [value] if value else []
