"""The model inside what distributes it."""

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """A runner's model without its wrapper, such as DDP.

    Args:
        model (nn.Module): Wrapped or not.

    Returns:
        nn.Module: The model itself.
    """
    return model.module if is_model_wrapper(model) else model
