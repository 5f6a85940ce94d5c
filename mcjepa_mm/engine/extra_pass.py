"""Passes of a model in training that leave no trace in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import nn

from mcjepa_mm.utils.random_state import preserved_random_state

_running = ContextVar('extra pass', default=False)


@contextmanager
def extra_pass(model: nn.Module) -> Iterator[None]:
    """Give back random states and buffers as they were before.

    A batch norm's running statistics are buffers. Gradients are the
    caller's: ``torch.autograd.grad`` leaves ``.grad`` alone. Forward hooks
    that listen to training's own passes ask :func:`in_extra_pass`.

    Args:
        model (nn.Module): In whatever mode; it is not changed.
    """
    buffers = list(model.buffers())
    saved = [buffer.clone() for buffer in buffers]
    token = _running.set(True)
    try:
        with preserved_random_state():
            yield
    finally:
        _running.reset(token)
        with torch.no_grad():
            for buffer, value in zip(buffers, saved):
                buffer.copy_(value)


def in_extra_pass() -> bool:
    """Whether the pass that runs now is none of training's own."""
    return _running.get()
