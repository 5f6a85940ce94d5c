"""Build runners from command lines, for the scripts in tools/."""

import argparse
import inspect
import os.path as osp
from difflib import get_close_matches

import torch
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mcjepa_mm import compat
from mcjepa_mm.utils.dist import unwrapped

from .cores import share_cores
from .data_by_task import write_data_by_task
from .hooks.end_workers_hook import EndWorkersHook
from .inherited_scope import read_config
from .job_length import keep_warm_up
from .process_group import join_processes, warn_of_two_kinds
from .resume import ResumeHook
from .short_log_runner import ShortLogRunner

# What a runner takes, and what it and its parts read from the config.
_RUN_KEYS = {
    *inspect.signature(Runner.__init__).parameters,
    'activation_checkpointing',
    'compile',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'sync_bn',
} - {'self', 'cfg'}


def load_config(
    path: str,
    *,
    work_dir: str | None = None,
    cfg_options: list | None = None,
    launcher: str = 'none',
) -> Config:
    """Read a config and merge the command line's options into it.

    Args:
        path (str): The config file.
        work_dir (str, optional): Where the run writes; else the config's
            ``work_dir``, else ``./work_dirs/<name of the config file>``.
        cfg_options (list[str], optional): ``key=value`` settings as typed,
            the last word over the file.
        launcher (str): ``'none'``, ``'pytorch'`` or ``'slurm'``.

    Returns:
        Config: The config that a runner can be built from.

    Raises:
        ValueError: If an option sets what no runner reads.
    """
    cfg = read_config(path)
    if cfg_options:
        options = parse_options(cfg_options)
        _refuse_without_effect(cfg, options)
        cfg.merge_from_dict(options)
    write_data_by_task(cfg)
    cfg.launcher = launcher
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        name = osp.splitext(osp.basename(path))[0]
        cfg.work_dir = osp.join('work_dirs', name)
    return cfg


def build_runner(cfg: Config) -> Runner:
    """Build a config's runner within its launcher's processes.

    The runner refuses a checkpoint of which no key is one of the model's;
    mmengine would go on with random weights. Where a dataloader has
    ``num_workers=0``, other settings of workers are dropped. What it resumes
    from, see
    :class:`~mcjepa_mm.engine.resume.ResumeHook`. When a run is over, its
    dataloaders' workers end. Every patch of :mod:`mcjepa_mm.compat` is
    applied, for this process.

    Args:
        cfg (Config): As :func:`load_config` returns it.

    Returns:
        Runner: The runner, not started.

    Raises:
        ValueError: If ``runner_type`` is another kind of runner, such as
            FlexibleRunner.
    """
    compat.apply_all()
    write_data_by_task(cfg)
    join_processes(cfg)
    _let_workers_be_none(list(cfg.values()))
    keep_warm_up(cfg)
    if get_device() == 'cpu':
        share_cores(cfg)
    resume, path = cfg.get('resume'), cfg.get('load_from')
    if kind := cfg.get('runner_type'):
        if not issubclass(RUNNERS.get(kind), Runner):
            raise ValueError(
                f'runner_type={kind!r} is not a mmengine.runner.Runner, '
                'whose checkpoints --resume needs. Leave runner_type and '
                'strategy out.'
            )
        runner = RUNNERS.build(cfg)
    else:
        runner = ShortLogRunner.from_cfg(cfg)
    if get_device() == 'cuda':
        warn_of_two_kinds(torch.cuda.get_device_name())
    runner.register_hook(
        ResumeHook(path) if resume else _RefuseForeignCheckpoint()
    )
    runner.register_hook(EndWorkersHook())
    return runner


def _let_workers_be_none(part: dict | list) -> None:
    """Drop dataloader settings that torch refuses without workers."""
    if isinstance(part, dict):
        if part.get('num_workers') == 0:
            part.pop('persistent_workers', None)
            part.pop('prefetch_factor', None)
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for inside in part:
            _let_workers_be_none(inside)


def initialize_model(runner: Runner) -> None:
    """Initialise the model by its config, for a test without a checkpoint.

    mmengine does so before it trains only. A test would measure what the
    modules happen to be built with, whatever ``init_cfg`` says.

    Args:
        runner (Runner): A runner that has not started.
    """
    runner.logger.warning(
        'No checkpoint is given: the model is as its config initialises it, '
        'random where no init_cfg names weights.'
    )
    # the same on all processes
    runner._init_model_weights()


def _refuse_without_effect(cfg: Config, options: dict) -> None:
    """Refuse options that no runner reads, such as misspelled keys."""
    for option in options:
        key = option.partition('.')[0]
        if key in _RUN_KEYS:
            continue
        if key in cfg:
            raise ValueError(
                f'{option} is a variable of the config, which has been used '
                'by the time options are read: it would change nothing. Set '
                'what the config makes of it'
                + (
                    ', or give --epochs and --epoch-length.'
                    if key in ('epochs', 'iters_per_epoch')
                    else '.'
                )
            )
        like = get_close_matches(key, _RUN_KEYS, n=1)
        raise ValueError(
            f'{option} is no setting of a run and would change nothing'
            + (f'; {like[0]} is one.' if like else '.')
            + ' What code of your own reads belongs into a config file.'
        )


def parse_options(options: list) -> dict:
    """Values of ``key=value`` settings, parsed as mmengine does."""
    # which it does in an argparse action and nowhere else
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(['--cfg-options', *options]).cfg_options


class _RefuseForeignCheckpoint(Hook):
    """Raise if a loaded checkpoint has no key of the model."""

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        wanted = unwrapped(runner.model).state_dict().keys()
        found = checkpoint.get('state_dict', checkpoint).keys()
        # mmengine strips the prefix that a wrapped model leaves.
        if wanted & {key.removeprefix('module.') for key in found}:
            return
        raise ValueError(
            'No key of the checkpoint is a key of the model, so nothing '
            f'would be loaded. The model has {len(wanted)} keys, such as '
            f'{_some(wanted)}; the checkpoint has {len(found)}, such as '
            f'{_some(found)}. Give the checkpoint of this model, or load a '
            "part of it with init_cfg=dict(type='Pretrained', prefix=...)."
        )


def _some(keys) -> str:
    return ', '.join(repr(key) for key in list(keys)[:3]) or 'none'
