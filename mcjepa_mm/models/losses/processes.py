"""Numbers that all processes share, so that many train like one.

The sample at position j of process r's batch is number ``j * W + r`` of the
global batch, W processes: mmengine's DefaultSampler deals the samples out in
turns, so a run keeps its numbers whatever W is.
"""

import torch
from mmengine.dist import all_reduce, broadcast, get_rank, get_world_size
from torch import Tensor


def mean_over_processes(x: Tensor) -> Tensor:
    """The mean of a tensor over the processes, without a gradient.

    It stays on its device: the host does not wait for it.

    Args:
        x (Tensor): Of one shape on every process.

    Returns:
        Tensor: The same on every process; a copy of ``x`` in a single one.
    """
    x = x.detach().clone(memory_format=torch.contiguous_format)
    all_reduce(x, 'mean')
    return x


def broadcast_from_rank0(drawn: Tensor) -> Tensor:
    """What process 0 drew, on every process.

    Processes may have different random states. Each of them draws, and the
    draws of all but the first are lost: one process alone would have made
    the first one's.

    Args:
        drawn (Tensor): Of one shape on every process; is written to.

    Returns:
        Tensor: ``drawn`` with the values of process 0.
    """
    broadcast(drawn)
    return drawn


def global_indices(count: int, device: torch.device) -> Tensor:
    """Which samples of the global batch are this process's.

    Args:
        count (int): The number n of its samples, the same on every process.
        device (torch.device): Where the result is wanted.

    Returns:
        Tensor: (n,), numbers below W * n, int64.
    """
    world = get_world_size()
    return torch.arange(get_rank(), world * count, world, device=device)
