"""Extra forward passes that leave the training state unchanged."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import nn

from mcjepa_mm.utils.random_state import preserved_random_state

_running = ContextVar('extra pass', default=False)


@contextmanager
def extra_pass(model: nn.Module) -> Iterator[None]:
    """Restore random states and buffers on exit.

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
    """Whether the current pass is an extra one, not a training step."""
    return _running.get()
