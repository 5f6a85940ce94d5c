"""Convert the old data config, with one main task, to data by task.

To be removed after version 0.1.
"""

import inspect
import warnings
from collections.abc import Mapping

from mmengine.config import Config
from torch.utils.data import DataLoader

# What a dataloader's config may have; any other key names a task.
_LOADER_KEYS = {
    *inspect.signature(DataLoader.__init__).parameters,
    'num_batch_per_epoch',
}


def main_task(cfg: Config) -> str | None:
    """Return the task whose data define the epoch length, or None."""
    named = [hook.get('main_task') for hook in _multi_task_hooks(cfg)]
    tasks = [
        key
        for key, part in (cfg.get('train_dataloader') or {}).items()
        if isinstance(part, Mapping) and key not in _LOADER_KEYS
    ]
    return next(filter(None, [*named, *tasks]), None)


def write_data_by_task(cfg: Config) -> None:
    """Convert the old form of ``train_dataloader`` to data by task, in place.

    Args:
        cfg (Config): Its ``train_dataloader`` may be the main task's, or have
            settings beside the tasks, which are the main task's; its
            ``MultiTaskHook`` may have ``tasks``, with the data of the others.
    """
    main, data = main_task(cfg), cfg.get('train_dataloader')
    if main is None or data is None:
        return
    own = {key: data.pop(key) for key in [*data] if key in _LOADER_KEYS}
    parts = {main: own} if own else {}
    for hook in _multi_task_hooks(cfg):
        for task, settings in (hook.pop('tasks', None) or {}).items():
            parts[task] = settings.get('dataloader') or {}
            if 'begin' in settings:
                begin = {**hook.get('begin', {}), task: settings['begin']}
                hook['begin'] = begin
    if not parts:
        return
    for task, part in parts.items():
        if part.keys() >= {'dataset', 'sampler'}:
            data.pop(task, None)  # not a change of some settings
    parts = {task: part for task, part in parts.items() if part}
    cfg.merge_from_dict(dict(train_dataloader=parts))
    if 'type' not in cfg.train_cfg and cfg.train_cfg.pop('by_epoch', False):
        cfg.train_cfg.type = 'mcjepa_mm.MultiTaskTrainLoop'
    warnings.warn(
        'This run has the older form of data, which will not be read after '
        'version 0.1. Write train_dataloader=dict('
        + ', '.join(f'{task}=dict(...)' for task in cfg.train_dataloader)
        + f'), as an option train_dataloader.{main}.batch_size=..., and when '
        "a task begins as MultiTaskHook's begin=dict(motion=...).",
        FutureWarning,
        stacklevel=2,
    )


def _multi_task_hooks(cfg: Config) -> list[dict]:
    hooks = cfg.get('custom_hooks') or []
    return [x for x in hooks if str(x.get('type')).endswith('MultiTaskHook')]
