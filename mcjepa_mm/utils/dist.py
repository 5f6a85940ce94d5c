"""A gloo group for small messages, and the model without its wrapper."""

from datetime import timedelta

import torch.distributed as dist
from mmengine.model import is_model_wrapper
from torch import nn

_groups: dict[dist.ProcessGroup, dist.ProcessGroup] = {}


def cpu_group(timeout: timedelta | None = None) -> dist.ProcessGroup | None:
    """Return a group for small messages that do not block a GPU.

    Every process must call this, in the same order with other collectives.

    Args:
        timeout (timedelta, optional): How long a process waits for the
            others, if this is the first call; by default torch's time.

    Returns:
        ProcessGroup | None: The default group if that is a gloo group, else
        one beside it, the same at every call. None in a single process.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return None
    world = dist.group.WORLD
    if dist.get_backend() == 'gloo':
        return world
    if world not in _groups:
        _groups[world] = dist.new_group(backend='gloo', timeout=timeout)
    return _groups[world]


def unwrapped(model: nn.Module) -> nn.Module:
    """Return a model without its wrapper, such as DDP.

    Args:
        model (nn.Module): Wrapped or not.

    Returns:
        nn.Module: The model itself.
    """
    return model.module if is_model_wrapper(model) else model
