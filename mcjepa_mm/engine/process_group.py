"""Initialise the process group of a launcher, on GPU or CPU.

A launcher tells each process by environment variables which one it is. Each
launcher has its own names; torch has another set, into which they are
translated here. mmengine does that too, but on its way to a CUDA device.
"""

import logging
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import timedelta

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import all_gather_object
from mmengine.logging import print_log
from torch import distributed as dist

# What torch reads -> what the launcher set.
VARIABLES = dict(
    pytorch={
        name: name
        for name in (
            'RANK',
            'WORLD_SIZE',
            'LOCAL_RANK',
            'MASTER_ADDR',
            'MASTER_PORT',
        )
    },
    slurm=dict(
        RANK='SLURM_PROCID',
        WORLD_SIZE='SLURM_NTASKS',
        LOCAL_RANK='SLURM_LOCALID',
    ),
)
STARTED_BY = dict(
    pytorch='torchrun (tools/dist_train.sh)',
    slurm='srun (tools/slurm_train.sh)',
)


def launched_variables(
    launcher: str, environ: Mapping[str, str]
) -> dict[str, str]:
    """Translate a launcher's variables into those that torch reads.

    ``MASTER_ADDR`` and ``MASTER_PORT`` of the environment are kept. Without
    them slurm's first node is the address, and its job and step give a port,
    so that jobs that share a node do not meet.

    Args:
        launcher (str): ``'pytorch'`` or ``'slurm'``.
        environ (Mapping[str, str]): The environment of this process.

    Returns:
        dict[str, str]: ``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``,
        ``MASTER_ADDR`` and ``MASTER_PORT``.

    Raises:
        RuntimeError: If a variable is missing, or slurm does not tell the
            names of its nodes.
        ValueError: For an unknown launcher.
    """
    if launcher not in VARIABLES:
        raise ValueError(
            f"launcher must be 'none' or one of {sorted(VARIABLES)}, "
            f'got {launcher!r}.'
        )
    found = {
        name: _required(launcher, environ, key)
        for name, key in VARIABLES[launcher].items()
    }
    if launcher == 'pytorch':
        return found
    return dict(
        found,
        MASTER_ADDR=environ.get('MASTER_ADDR') or _slurm_address(environ),
        MASTER_PORT=environ.get('MASTER_PORT') or _slurm_port(environ),
    )


def join_processes(cfg: Config) -> None:
    """Initialise the process group by the config.

    Without an accelerator torchrun's processes are joined here, by gloo, and
    the model wrapper names no device: mmengine's ``init_dist`` picks a CUDA
    device in any case, and so does its default wrapper. With one, the
    variables are set and the rest is mmengine's.

    ``env_cfg.dist_cfg`` holds for both: ``timeout`` is how many seconds a
    process waits for the others before it ends with an error; torch's default
    is 1800 for gloo and 600 for NCCL. ``port`` is slurm's port.

    Args:
        cfg (Config): With a ``launcher``; ``'none'`` changes nothing. On a
            CPU, ``model_wrapper_cfg`` is set.

    Raises:
        RuntimeError: If this process was not started by that launcher.
        ValueError: For an unknown launcher, a timeout that is none, and on
            a CPU for slurm's and for ``sync_bn``.
    """
    if cfg.launcher == 'none':
        return
    timeout = dist_timeout(cfg)
    port = _settings(cfg).get('port')
    if cfg.launcher == 'slurm' and port:
        os.environ['MASTER_PORT'] = str(port)
    os.environ.update(launched_variables(cfg.launcher, os.environ))
    if get_device() != 'cpu':
        return
    if cfg.launcher != 'pytorch':
        raise ValueError(
            f'--launcher {cfg.launcher} needs GPUs, and this machine has '
            'none. Let srun start tools/dist_train.sh on each machine.'
        )
    if cfg.get('sync_bn'):
        raise ValueError(
            f'sync_bn={cfg.sync_bn!r} needs GPUs, and this machine has none. '
            'Without it each process has its own batch statistics: '
            '--cfg-options sync_bn=None.'
        )
    if not dist.is_initialized():
        dist.init_process_group('gloo', timeout=timeout)
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    wrapper['device_ids'] = None
    cfg.model_wrapper_cfg = wrapper


def dist_timeout(cfg: Config) -> timedelta | None:
    """Timeout of collectives: ``env_cfg.dist_cfg.timeout``.

    Args:
        cfg (Config): Of a run.

    Returns:
        timedelta | None: None where the config leaves it to torch.

    Raises:
        ValueError: If it is no number of seconds.
    """
    seconds = _settings(cfg).get('timeout')
    if seconds is None:
        return None
    # mmengine puts a timedelta in its place
    if isinstance(seconds, timedelta):
        return seconds
    if not isinstance(seconds, int | float) or seconds <= 0:
        raise ValueError(
            'env_cfg.dist_cfg.timeout must be a number of seconds above 0, '
            f'got {seconds!r}.'
        )
    return timedelta(seconds=seconds)


def two_kinds(names: Sequence[str]) -> str | None:
    """What is to be said of GPUs that are not all of one kind.

    Args:
        names (Sequence[str]): Of each GPU, in the order of the devices.

    Returns:
        str | None: A line, None if they are alike.
    """
    if len(set(names)) < 2:
        return None
    alike = {
        kind: ','.join(str(i) for i, x in enumerate(names) if x == kind)
        for kind in names
    }
    return (
        f'The GPUs are of {len(alike)} kinds: '
        + '; '.join(f'{numbers} {kind}' for kind, numbers in alike.items())
        + '. A step takes as long as the slowest needs: use those of one kind '
        "(CUDA_VISIBLE_DEVICES, or slurm's --constraint)."
    )


def warn_of_two_kinds(name: str) -> None:
    """Warn in the log if the processes' GPUs differ.

    Args:
        name (str): Of this process's GPU. Every process calls this.
    """
    if said := two_kinds(all_gather_object(name)):
        print_log(said, logger='current', level=logging.WARNING)


def _settings(cfg: Config) -> dict:
    return cfg.get('env_cfg', {}).get('dist_cfg') or {}


def _required(launcher: str, environ: Mapping[str, str], name: str) -> str:
    if name not in environ:
        raise RuntimeError(
            f'The launcher {launcher!r} is named, but {name} is not set: '
            f'this process was not started by {STARTED_BY[launcher]}. Start '
            'it so, or leave out --launcher to run in one process.'
        )
    return environ[name]


def _slurm_address(environ: Mapping[str, str]) -> str:
    # A step may run on some of its job's nodes only.
    nodes = environ.get('SLURM_STEP_NODELIST')
    if nodes is None:
        nodes = _required('slurm', environ, 'SLURM_NODELIST')
    if not set('[,') & set(nodes):
        return nodes
    command = ['scontrol', 'show', 'hostnames', nodes]
    try:
        said = subprocess.run(
            command, check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(
            f'The first of the nodes {nodes} is not known: '
            f'`{" ".join(command)}` failed, {error}. Set MASTER_ADDR to its '
            'name.'
        ) from error
    return said.stdout.split()[0]


def _slurm_port(environ: Mapping[str, str]) -> str:
    job = int(_required('slurm', environ, 'SLURM_JOB_ID'))
    step = int(environ.get('SLURM_STEP_ID', 0))
    # Below the ports that Linux gives to outgoing connections.
    return str(20000 + (job * 16 + step) % 10000)
