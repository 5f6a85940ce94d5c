"""Share a machine's cores between processes and their dataloader workers."""

import os
import socket

import torch
from mmengine.config import Config
from torch import distributed as dist


def share_cores(cfg: Config) -> None:
    """Give this process as many threads as its share of the cores.

    The cores are divided by the processes that run on them, and each
    dataloader worker takes one. ``OMP_NUM_THREADS`` is the user's word, and
    nothing changes; but torchrun sets it to 1 for several processes, so the
    scripts in tools/, which know whether the user did, set
    ``MCJEPA_MM_SHARE_CORES``.

    OpenMP's threads wait for each other by spinning: one of them, put off its
    core by a dataloader worker, holds all up. Seen with 2 threads and 1 busy
    process on 2 cores: a step took 25 to 50 times as long, and 1.5 times with
    1 thread.

    Args:
        cfg (Config): Its dataloaders name their workers. With a launcher, the
            process group exists, and every process has to call this.
    """
    if 'MCJEPA_MM_SHARE_CORES' in os.environ:
        cores = len(_own_cores())
    elif 'OMP_NUM_THREADS' in os.environ:
        return
    else:
        cores = torch.get_num_threads()
    data = cfg.get('train_dataloader') or {}
    loaders = [data] if 'dataset' in data else filter(None, data.values())
    workers = sum(loader.get('num_workers', 0) for loader in loaders)
    share = cores // _processes_on_these_cores()
    torch.set_num_threads(max(1, share - workers))


def _own_cores() -> list[int]:
    if hasattr(os, 'sched_getaffinity'):  # Linux
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _processes_on_these_cores() -> int:
    # Slurm may give each process cores of its own, torchrun
    # does not: who shares is found out rather than taken from a variable.
    if not dist.is_initialized():
        return 1
    mine = (socket.gethostname(), _own_cores())
    everyone: list = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, mine)
    return everyone.count(mine)
