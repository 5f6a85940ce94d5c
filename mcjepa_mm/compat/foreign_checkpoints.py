"""Untrusted checkpoints, loaded without running code of theirs.

When it applies
    ``load_from``, ``--resume`` and ``init_cfg=dict(type='Pretrained')`` load
    through mmengine's ``CheckpointLoader``.
Why
    An address (``https://``, and the names of model zoos that become one) is
    loaded by ``torch.hub.load_state_dict_from_url``, whose default is
    ``weights_only=False``: it runs what the file names. Other files, local
    ones and those that ``open-mmlab://`` and its like name, are loaded by
    ``torch.load`` with its default, which the environment variable
    TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD turns round, or in mmengine 0.11 with
    ``weights_only=False``; what it refuses it refuses without the file's
    name, and with the advice to switch the check off.
When it can go
    When mmengine passes ``weights_only=True`` itself.
"""

from collections.abc import Callable
from functools import cache, wraps
from inspect import signature
from types import ModuleType
from typing import Any


def needed() -> bool:
    """Whether ``torch.hub`` runs what a downloaded file names."""
    from torch.hub import load_state_dict_from_url

    default = signature(load_state_dict_from_url).parameters['weights_only']
    return default.default is not True


@cache
def apply() -> None:
    """Let the loaders load with ``weights_only=True``."""
    from mmengine.runner import checkpoint

    checkpoint.torch = _SafeTorch('torch')
    checkpoint.load_url = _safe_load_url(checkpoint.load_url)


class _SafeTorch(ModuleType):
    """torch, as this module of mmengine sees it, but ``load`` runs nothing."""

    def __getattr__(self, name: str) -> Any:
        import torch

        return getattr(torch, name)

    @staticmethod
    def load(f: Any, map_location: Any = None, **kwargs) -> Any:
        from mcjepa_mm.utils.safe_load import safe_load

        return safe_load(f, map_location)


def _safe_load_url(upstream: Callable) -> Callable:
    from mcjepa_mm.utils.safe_load import load_error

    @wraps(upstream)
    def load_url(url: str, *args, **kwargs) -> Any:
        try:
            return upstream(url, *args, **{**kwargs, 'weights_only': True})
        except OSError:  # the network's, which name the address
            raise
        # what is raised depends on which byte it trips over
        except Exception as error:  # noqa: BLE001
            refusal = load_error(url, error)
        # not from torch's error, which tells how to run it after all
        raise refusal

    return load_url
