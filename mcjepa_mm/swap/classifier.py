"""Swapping the backbone of mmpretrain's image classifiers."""

from typing import Any

import torch
from torch import Tensor, nn

from .measure import (
    PROBE,
    Map,
    SwapError,
    backbone_maps,
    backbone_outputs,
    describe,
    type_name,
)
from .new_backbone import NewBackbone
from .readers import Row, Swapped, adapt_neck

# Of a backbone that pools by itself, and so does not show its last map.
USUAL_STRIDE = 32
# Heads of these names read a class token.
TOKEN_HEADS = ('VisionTransformer', 'DeiT', 'EfficientFormer')


def swap_classifier(model: dict, new: NewBackbone) -> Swapped:
    """Replace the backbone of an image classifier."""
    if type_name(model) != 'ImageClassifier':
        raise SwapError(
            'of mmpretrain, models of type ImageClassifier can be swapped, '
            f'got {model.get("type")!r}'
        )
    head = model.get('head') or {}
    if not isinstance(head.get('in_channels'), int) or type_name(
        head
    ).startswith(TOKEN_HEADS):
        raise SwapError(
            f'the head {head.get("type")} does not read pooled features, '
            'which is all that a pyramid can give it (no class token); take '
            'a config with a head such as LinearClsHead'
        )
    old = model['backbone']
    necks = model.get('neck') or []
    necks = necks if isinstance(necks, (list, tuple)) else [necks]
    notes = []
    changes: dict[str, Any] = {}
    outputs = backbone_outputs(old, 'mmpretrain')
    last = outputs if isinstance(outputs, Tensor) else outputs[-1]
    if isinstance(last, Tensor) and last.dim() == 2:
        if necks:
            raise SwapError(
                f'{old["type"]} pools by itself, and the neck '
                f'{necks[0]["type"]} works on that'
            )
        notes.append(
            f'{old["type"]} pooled by itself; the neck GlobalAveragePooling '
            'does now'
        )
        before = [Map(last.shape[1], USUAL_STRIDE)]
        changes['neck'] = dict(type='GlobalAveragePooling')
    else:
        before = describe(outputs, str(old['type']))
        if not necks:
            raise SwapError(
                f'nothing pools the maps of {old["type"]} before the head '
                f'{head["type"]}'
            )
    mixes = bool(necks and necks[0].get('in_channels'))
    if not mixes:
        before = before[-1:]  # it is the last one that is pooled
    backbone = changes['backbone'] = new.config(
        [m.stride for m in before], old
    )
    after = backbone_maps(backbone, 'mmpretrain')
    if mixes:  # and gives the head a width of its own (HRFuseScales)
        neck, row = adapt_neck(necks[0], before, after)
        changes['neck'] = [neck, *necks[1:]]
        return Swapped(changes, [row], notes)
    if head['in_channels'] != before[-1].channels:
        raise SwapError(
            f'the head {head["type"]} expects {head["in_channels"]} '
            f'channels, but the map that is pooled has {before[-1].channels}'
        )
    changes['head'] = dict(head, in_channels=after[-1].channels)
    return Swapped(changes, [Row('head', head['type'], before, after)], notes)


def run_classifier(model: nn.Module) -> None:
    """Run a classifier once."""
    model(torch.zeros(1, 3, PROBE, PROBE), mode='tensor')
