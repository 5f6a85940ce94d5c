"""A group of the processes that talks through the CPU."""

from functools import cache

import torch.distributed as dist


@cache
def _new_group(world: dist.ProcessGroup) -> dist.ProcessGroup:
    return dist.new_group(backend='gloo')


def cpu_group() -> dist.ProcessGroup | None:
    """The processes, for small messages that no GPU has to wait for.

    Every process must call this, in the same order with other collectives.

    Returns:
        ProcessGroup | None: The default group if that is a gloo group, else
        one beside it, the same at every call. None in a single process.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return None
    if dist.get_backend() == 'gloo':
        return dist.group.WORLD
    return _new_group(dist.group.WORLD)
