"""Channels and strides of the maps that a module returns, by running it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from .errors import SwapError, reason

# Side of the image that parts and models are tried with: every stride up to
# 64 divides it, and at stride 32 it holds the windows of Swin.
PROBE = 256


@dataclass(frozen=True)
class Map:
    """A feature map.

    Attributes:
        channels (int): C.
        stride (int): Pixels of the image per cell.
    """

    channels: int
    stride: int

    def __str__(self) -> str:
        return f'{self.channels} ch / {self.stride}'


def type_name(cfg: dict) -> str:
    """The type of a part, without the scope that may precede it."""
    kind = cfg.get('type')
    return getattr(kind, '__name__', str(kind)).rpartition('.')[2]


def build(cfg: dict, scope: str) -> nn.Module:
    """Build a part of a model as its project would, in eval mode.

    Args:
        cfg (dict): Config of a backbone, neck or head; left as it is.
        scope (str): Project whose names it uses.

    Raises:
        SwapError: If it cannot be built here.
    """
    with DefaultScope.overwrite_default_scope(scope):
        try:
            module = MODELS.build(dict(cfg))
        # whatever a foreign constructor raises is the reason to tell
        except Exception as error:
            raise SwapError(
                f'{cfg.get("type")} cannot be built: {reason(error)}'
            ) from error
    module.eval()  # by itself: many a backbone's returns None
    return module


def backbone_maps(backbone: dict, scope: str) -> list[Map]:
    """The maps that a backbone makes of an image.

    Args:
        backbone (dict): Its config.
        scope (str): Project whose names it uses.

    Raises:
        SwapError: If it cannot be run, or returns something else than maps.
    """
    return describe(backbone_outputs(backbone, scope), str(backbone['type']))


@torch.no_grad()
def backbone_outputs(backbone: dict, scope: str) -> Any:
    """What a backbone returns for an image of PROBE x PROBE.

    Args:
        backbone (dict): Its config.
        scope (str): Project whose names it uses.

    Raises:
        SwapError: If it cannot be built or run.
    """
    cfg = {k: v for k, v in backbone.items() if k != 'init_cfg'}
    if cfg.get('pretrained') is not None:
        cfg['pretrained'] = None
    if 'img_size' in cfg:  # of a transformer, whose cost grows with it
        single = isinstance(cfg['img_size'], int)
        cfg['img_size'] = PROBE if single else (PROBE, PROBE)
    module = build(cfg, scope)
    image = torch.zeros(1, cfg.get('in_channels', 3), PROBE, PROBE)
    return _run(module, image)


@torch.no_grad()
def neck_maps(neck: dict, maps: Sequence[Map], scope: str) -> list[Map]:
    """The maps that a neck makes of those of a backbone.

    Args:
        neck (dict): Its config.
        maps (Sequence[Map]): What the backbone gives it.
        scope (str): Project whose names it uses.

    Raises:
        SwapError: As :func:`backbone_maps`.
    """
    cfg = {k: v for k, v in neck.items() if k != 'init_cfg'}
    module = build(cfg, scope)
    return describe(_run(module, as_tensors(maps)), str(cfg['type']))


def as_tensors(maps: Sequence[Map]) -> tuple[Tensor, ...]:
    """Tensors (1, C, PROBE / stride, PROBE / stride) of zeros."""
    return tuple(
        torch.zeros(1, m.channels, PROBE // m.stride, PROBE // m.stride)
        for m in maps
    )


def describe(outputs: Any, name: str) -> list[Map]:
    """Channels and stride of each map.

    Args:
        outputs (Any): What a module returned for an image of PROBE x PROBE.
        name (str): What to call the module in an error.

    Raises:
        SwapError: If that is no map or no sequence of maps.
    """
    if isinstance(outputs, Tensor):
        outputs = [outputs]
    if not isinstance(outputs, (list, tuple)) or not all(
        isinstance(x, Tensor) and x.dim() == 4 for x in outputs
    ):
        raise SwapError(
            f'{name} does not return feature maps (N, C, H, W) only, so the '
            'maps of an encoder cannot take their place'
        )
    return [Map(x.shape[1], PROBE // x.shape[-1]) for x in outputs]


def _run(module: nn.Module, inputs: Any) -> Any:
    try:
        return module(inputs)
    # whatever a foreign module raises is the reason to tell
    except Exception as error:
        raise SwapError(
            f'{type(module).__name__} cannot be run: {reason(error)}'
        ) from error
