"""Backward passes that are written by hand, under autocast."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor


def without_autocast(backward: Callable) -> Callable:
    """Run the backward of an ``autograd.Function`` with autocast off.

    Autograd's own gradients keep the types of the forward pass, also if
    ``loss.backward()`` is called in a region of autocast, which would turn
    some operations of a written one, and not others, to half precision.

    Args:
        backward (Callable): Takes ctx and gradients, all on one device.

    Returns:
        Callable: The same function.
    """

    @functools.wraps(backward)
    def wrapper(ctx, *grads: Tensor):
        with torch.autocast(grads[0].device.type, enabled=False):
            return backward(ctx, *grads)

    return wrapper
