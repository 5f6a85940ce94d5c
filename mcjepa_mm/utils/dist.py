"""Agreement of the processes, and the model without its wrapper."""

import socket
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

import torch
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


def require_agreement(
    mine: Mapping[str, str], advice: str, group: dist.ProcessGroup | None
) -> None:
    """Stop all processes if one of them has something else than the others.

    Args:
        mine (Mapping[str, str]): What this process has, by name.
        advice (str): What to do about a difference.
        group (ProcessGroup, optional): As :func:`cpu_group` returns it;
            without one nothing is done.

    Raises:
        ValueError: On every process, naming the one that differs.
    """
    if group is None:
        return
    # one number a step; texts only where they differ
    digest = torch.tensor([zlib.crc32(repr(sorted(mine.items())).encode())])
    digests = [torch.empty_like(digest) for _ in range(group.size())]
    dist.all_gather(digests, digest, group)
    if all(x == digest for x in digests):
        return
    everyone: list = [None] * group.size()
    dist.all_gather_object(everyone, (socket.gethostname(), dict(mine)), group)
    hosts, had = zip(*everyone)
    raise ValueError(f'{tell_difference(hosts, had)} {advice}')


def tell_difference(
    hosts: Sequence[str], had: Sequence[Mapping[str, str]]
) -> str:
    """Say which processes have something else than most.

    Of as many on either side, process 0 is right.

    Args:
        hosts (Sequence[str]): Name of each process's machine.
        had (Sequence[Mapping[str, str]]): What each has, by name. They
            differ.

    Returns:
        str: The processes, and what they have instead, of at most three
        names.
    """
    odd: set[int] = set()
    texts = []
    for name in dict.fromkeys(name for each in had for name in each):
        values = [each.get(name, 'missing') for each in had]
        usual = Counter(values).most_common(1)[0][0]
        others = [i for i, x in enumerate(values) if x != usual]
        if others:
            odd.update(others)
            found = ' or '.join(dict.fromkeys(values[i] for i in others))
            texts.append(f'{name} is {found}, not {usual}')
    who = ', '.join(f'process {i} on {hosts[i]}' for i in sorted(odd))
    more = f'; {len(texts) - 3} more differ' if len(texts) > 3 else ''
    return f'Not as the other processes: {who}: {"; ".join(texts[:3])}{more}.'


def unwrapped(model: nn.Module) -> nn.Module:
    """Return a model without its wrapper, such as DDP.

    Args:
        model (nn.Module): Wrapped or not.

    Returns:
        nn.Module: The model itself.
    """
    return model.module if is_model_wrapper(model) else model
