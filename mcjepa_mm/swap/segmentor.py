"""Swapping the backbone of mmsegmentation's models."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from .errors import SwapError
from .measure import PROBE, Map, backbone_maps, neck_maps, type_name
from .new_backbone import NewBackbone
from .readers import Row, adapt_head, adapt_neck
from .swapped import Swapped
from .wrappers import DIVISORS, INSIDE, WRAPPERS, rewrap

MODELS = ('EncoderDecoder', 'CascadeEncoderDecoder')

# Backbones that are the method: what would be left of it without them?
METHODS = {
    'BiSeNetV2': 'its two branches and their guided aggregation',
    'CGNet': 'its context-guided blocks, with only a classifier after them',
    'DDRNet': 'its two branches of different resolution that exchange maps',
    'ERFNet': 'an encoder and a decoder, with only a classifier after them',
    'FastSCNN': 'its learning-to-downsample and fusion modules',
    'ICNet': 'its cascade of three images; it runs the stem and the layers '
    'of a ResNet one by one',
    'PIDNet': 'its three branches',
    'UNet': 'an encoder and a decoder with skip connections',
    'VPD': 'a text-to-image diffusion model',
}
# Necks that make a pyramid of the equal maps of a plain transformer.
PYRAMID_MAKERS = ('Feature2Pyramid', 'MultiLevelNeck')
# LRASPPHead pools over windows of 49 cells of stride 8.
LRASPP_SIZE = 448


def swap_segmentor(model: dict, new: NewBackbone) -> Swapped:
    """Replace the backbone of a segmentor.

    Args:
        model (dict): The model's config, left as it is.
        new (NewBackbone): What is to take the backbone's place.

    Returns:
        Swapped: The parts of the config that change.

    Raises:
        SwapError: If the model cannot be swapped.
    """
    if type_name(model) not in MODELS:
        raise SwapError(
            f'expected a model of type {" or ".join(MODELS)}, got '
            f'{model.get("type")!r}'
        )
    old = model['backbone']
    kind = type_name(old)
    if kind in METHODS:
        raise SwapError(
            f'{kind} is the method itself: {METHODS[kind]}. Without it '
            'nothing of the model would be left; take one whose backbone '
            'gives feature maps to a head'
        )
    notes, rows = [], []
    changes: dict[str, Any] = {}
    given_before = backbone_maps(old, 'mmseg')
    neck = model.get('neck')
    read = neck_maps(neck, given_before, 'mmseg') if neck else given_before
    if kind in WRAPPERS:
        changes['backbone'], row = _swap_inside(old, new)
        rows.append(row)
        notes.append(
            f'the encoder inside {kind} is replaced, the rest of it stays'
        )
        if divisor := DIVISORS.get(kind):
            changes['data_preprocessor'] = dict(
                model.get('data_preprocessor') or {},
                test_cfg=dict(size_divisor=divisor),
            )
            notes.append(
                f'images are padded to multiples of {divisor} in tests; crops '
                'for training must be such multiples'
            )
    elif neck and type_name(neck) in PYRAMID_MAKERS:
        notes.append(
            f'the neck {neck["type"]} is removed: it made a pyramid of the '
            f'equal maps of {kind}, and the new backbone has one'
        )
        changes['neck'] = neck = None
        changes['backbone'] = new.config([m.stride for m in read], old)
    else:
        strides = [m.stride for m in given_before]
        changes['backbone'] = new.config(strides, old)
    given = backbone_maps(changes['backbone'], 'mmseg')
    if neck:
        changes['neck'], row = adapt_neck(neck, given_before, given)
        rows.append(row)
        given = neck_maps(changes['neck'], given, 'mmseg')
    for part in ('decode_head', 'auxiliary_head'):
        if model.get(part):
            changes[part], found = _adapt_heads(model[part], part, read, given)
            rows += found
    return Swapped(changes, rows, notes)


def _swap_inside(wrapper: dict, new: NewBackbone) -> tuple[dict, Row]:
    """Swap the encoder that a wrapper holds."""
    old = wrapper[INSIDE]
    before = backbone_maps(old, 'mmseg')
    encoder = new.config([m.stride for m in before], old)
    after = backbone_maps(encoder, 'mmseg')
    row = Row('backbone', wrapper['type'], tuple(before), tuple(after))
    return rewrap(wrapper, encoder, after), row


def _adapt_heads(
    heads: dict | list, part: str, old: Sequence[Map], new: Sequence[Map]
) -> tuple[dict | list, list[Row]]:
    if isinstance(heads, dict):
        return adapt_head(heads, part, old, new)
    adapted, rows = [], []
    for i, head in enumerate(heads):
        head, found = adapt_head(head, f'{part}[{i}]', old, new)
        adapted.append(head)
        rows += found
    return adapted, rows


@torch.no_grad()
def run_segmentor(model: nn.Module) -> None:
    """Run every part of a segmentor once: prediction and auxiliary heads.

    Args:
        model (nn.Module): In eval mode.
    """
    side = PROBE
    if any(type(part).__name__ == 'LRASPPHead' for part in model.modules()):
        side = LRASPP_SIZE
    image = torch.zeros(1, 3, side, side)
    model.predict(image, None)
    if model.with_auxiliary_head:
        feats = model.extract_feat(image)
        heads = model.auxiliary_head
        for head in heads if isinstance(heads, nn.ModuleList) else [heads]:
            head.forward(feats)
