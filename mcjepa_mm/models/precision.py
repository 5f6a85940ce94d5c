"""Decorators that disable autocast and compute in float32."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def raise_precision(x: Any) -> Any:
    """Convert half precision tensors to float32; return the rest as is."""
    if isinstance(x, Tensor) and x.dtype in (torch.float16, torch.bfloat16):
        return x.float()
    return x


def full_precision(function: Callable) -> Callable:
    """Run a function in at least float32 with autocast off.

    Variances and sums of squares leave float16's range and bfloat16's 8 bits
    (the public NaN reports of VICReg under AMP come from there). float64
    stays float64.

    Args:
        function (Callable): Takes one tensor or more, all on one device.

    Returns:
        Callable: The same function. Half precision arguments arrive as
        float32 and get their gradient in their own dtype.
    """

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        device = next(
            a.device
            for a in (*args, *kwargs.values())
            if isinstance(a, Tensor)
        )
        args = tuple(raise_precision(a) for a in args)
        kwargs = {name: raise_precision(a) for name, a in kwargs.items()}
        with torch.autocast(device.type, enabled=False):
            return function(*args, **kwargs)

    return wrapper


def without_autocast(backward: Callable) -> Callable:
    """Run the backward of an ``autograd.Function`` with autocast off.

    Autograd's own gradients keep the types of the forward pass, also if
    ``loss.backward()`` is called in a region of autocast, which would turn
    some operations of a written one, and not others, to half precision. All
    gradients are on one device.
    """

    @functools.wraps(backward)
    def wrapper(ctx, *grads: Tensor):
        with torch.autocast(grads[0].device.type, enabled=False):
            return backward(ctx, *grads)

    return wrapper
