"""Measure channels and strides of feature maps by a forward pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

# Side of the image that parts and models are tried with: every stride up to
# 64 divides it, and at stride 32 it holds the windows of Swin.
PROBE = 256


class SwapError(ValueError):
    """The backbone of a config cannot be replaced."""


@contextmanager
def swap_error(failure: str) -> Iterator[None]:
    """Turn whatever foreign code raises into a SwapError.

    The message ends with the first line of the first error of the chain:
    mmengine raises anew what it catches, with a page of text around it.
    """
    try:
        yield
    except Exception as error:
        first: BaseException = error
        while cause := first.__cause__ or (
            None if first.__suppress_context__ else first.__context__
        ):
            first = cause
        line = str(first).strip().partition('\n')[0]
        raise SwapError(
            f'{failure}: {type(first).__name__}: {line}'
        ) from error


@dataclass(frozen=True)
class Map:
    """Channels and stride of a feature map."""

    channels: int
    stride: int

    def __str__(self) -> str:
        return f'{self.channels} ch / {self.stride}'


def type_name(cfg: dict) -> str:
    """The type of a part, without the scope that may precede it."""
    kind = cfg.get('type')
    return getattr(kind, '__name__', str(kind)).rpartition('.')[2]


def build(cfg: dict, scope: str) -> nn.Module:
    """Build a part of a model as its project would, in eval mode."""
    with (
        DefaultScope.overwrite_default_scope(scope),
        swap_error(f'{cfg.get("type")} cannot be built'),
    ):
        module = MODELS.build(dict(cfg))
    module.eval()  # by itself: many a backbone's returns None
    return module


def backbone_maps(backbone: dict, scope: str) -> list[Map]:
    """The maps that a backbone makes of an image."""
    return describe(backbone_outputs(backbone, scope), str(backbone['type']))


def backbone_outputs(backbone: dict, scope: str) -> Any:
    """What a backbone returns for an image of PROBE x PROBE."""
    cfg = dict(backbone)
    if cfg.get('pretrained') is not None:
        cfg['pretrained'] = None
    if 'img_size' in cfg:  # of a transformer, whose cost grows with it
        single = isinstance(cfg['img_size'], int)
        cfg['img_size'] = PROBE if single else (PROBE, PROBE)
    image = torch.zeros(1, cfg.get('in_channels', 3), PROBE, PROBE)
    return _run(cfg, image, scope)


def neck_maps(neck: dict, maps: Sequence[Map], scope: str) -> list[Map]:
    """The maps that a neck makes of those of a backbone."""
    inputs = tuple(
        torch.zeros(1, m.channels, PROBE // m.stride, PROBE // m.stride)
        for m in maps
    )
    return describe(_run(neck, inputs, scope), str(neck['type']))


def describe(outputs: Any, name: str) -> list[Map]:
    """Channels and stride of the maps that a module made of the image."""
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


@torch.no_grad()
def _run(cfg: dict, inputs: Any, scope: str) -> Any:
    module = build({k: v for k, v in cfg.items() if k != 'init_cfg'}, scope)
    with swap_error(f'{type(module).__name__} cannot be run'):
        return module(inputs)
