"""Numbers that all processes share, so that many train like one.

The sample at position j of process r's batch is number ``j * W + r`` of the
global batch, W processes: mmengine's DefaultSampler deals the samples out in
turns, so a run keeps its numbers whatever W is.
"""

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """The number of processes that train together, 1 without a group."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size()
    return 1


def mean_over_processes(x: Tensor) -> Tensor:
    """The mean of a tensor over the processes, without a gradient.

    It stays on its device: the host does not wait for it.

    Args:
        x (Tensor): Of one shape on every process.

    Returns:
        Tensor: The same on every process; ``x`` itself, detached, in a
        single process.
    """
    x = x.detach()
    world = world_size()
    if world == 1:
        return x
    x = x.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(x)
    return x / world


def from_first_process(drawn: Tensor) -> Tensor:
    """What process 0 drew, on every process.

    Processes may have different random states. Each of them draws, and the
    draws of all but the first are lost: one process alone would have made
    the first one's.

    Args:
        drawn (Tensor): Contiguous, of one shape on every process; is
            written to.

    Returns:
        Tensor: ``drawn`` with the values of process 0.
    """
    if world_size() > 1:
        dist.broadcast(drawn, 0)
    return drawn


def own_numbers(count: int, device: torch.device) -> Tensor:
    """Which samples of the global batch are this process's.

    Args:
        count (int): The number n of its samples, the same on every process.
        device (torch.device): Where the result is wanted.

    Returns:
        Tensor: (n,), numbers below W * n, int64.
    """
    world = world_size()
    first = dist.get_rank() if world > 1 else 0
    return torch.arange(first, world * count, world, device=device)
