"""Swapping the backbone of mmsegmentation's models."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from .measure import (
    PROBE,
    Map,
    SwapError,
    backbone_maps,
    neck_maps,
    type_name,
)
from .new_backbone import NewBackbone
from .readers import Row, Swapped, adapt_head, adapt_neck

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
# Backbones that hold a replaceable encoder, by this name.
WRAPPERS = ('BiSeNetV1', 'STDCContextPathNet')
INSIDE = 'backbone_cfg'
# BiSeNetV1 concatenates the encoder's maps with others: a ResNet's maps are
# rounded up as those are, the new encoder's down.
BISENET_DIVISOR = 32
# Necks that make a pyramid of the equal maps of a plain transformer.
PYRAMID_MAKERS = ('Feature2Pyramid', 'MultiLevelNeck')
# LRASPPHead pools over windows of 49 cells of stride 8.
LRASPP_SIZE = 448


def swap_segmentor(model: dict, new: NewBackbone) -> Swapped:
    """Replace the backbone of a segmentor; its config is left as it is."""
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
    before = backbone_maps(old, 'mmseg')
    neck = model.get('neck')
    read = neck_maps(neck, before, 'mmseg') if neck else before
    if kind in WRAPPERS:
        changes['backbone'], row = _swap_inside(old, new)
        rows.append(row)
        notes.append(
            f'the encoder inside {kind} is replaced, the rest of it stays'
        )
        if kind == 'BiSeNetV1':
            changes['data_preprocessor'] = dict(
                model.get('data_preprocessor') or {},
                test_cfg=dict(size_divisor=BISENET_DIVISOR),
            )
            notes.append(
                f'images are padded to multiples of {BISENET_DIVISOR} in '
                'tests; crops for training must be such multiples'
            )
    elif neck and type_name(neck) in PYRAMID_MAKERS:
        notes.append(
            f'the neck {neck["type"]} is removed: it made a pyramid of the '
            f'equal maps of {kind}, and the new backbone has one'
        )
        changes['neck'] = neck = None
        changes['backbone'] = new.config([m.stride for m in read], old)
    else:
        changes['backbone'] = new.config([m.stride for m in before], old)
    after = backbone_maps(changes['backbone'], 'mmseg')
    if neck:
        changes['neck'], row = adapt_neck(neck, before, after)
        rows.append(row)
        after = neck_maps(changes['neck'], after, 'mmseg')
    for part in ('decode_head', 'auxiliary_head'):
        if heads := model.get(part):
            single = isinstance(heads, dict)
            adapted = [
                adapt_head(
                    head, part if single else f'{part}[{i}]', read, after
                )
                for i, head in enumerate([heads] if single else heads)
            ]
            rows += [row for _, found in adapted for row in found]
            heads = [head for head, _ in adapted]
            changes[part] = heads[0] if single else heads
    return Swapped(changes, rows, notes)


def _swap_inside(wrapper: dict, new: NewBackbone) -> tuple[dict, Row]:
    """Swap the encoder that a wrapper holds, and what follows from it."""
    old = wrapper[INSIDE]
    before = backbone_maps(old, 'mmseg')
    encoder = new.config([m.stride for m in before], old)
    after = backbone_maps(encoder, 'mmseg')
    follows = _bisenetv1 if type_name(wrapper) == 'BiSeNetV1' else _stdc
    return (
        {
            **deepcopy(dict(wrapper)),
            **follows(wrapper, after),
            INSIDE: encoder,
        },
        Row('backbone', wrapper['type'], before, after),
    )


def _bisenetv1(wrapper: dict, maps: Sequence[Map]) -> dict[str, Any]:
    # Its fusion module takes the two paths' maps side by side and expects
    # context_channels[1] of them: half each.
    coarser, coarsest = maps[-2].channels, maps[-1].channels
    half = coarser // 2
    spatial = wrapper.get('spatial_channels', (64, 64, 64, 128))
    return dict(
        context_channels=(half, coarser, coarsest),
        spatial_channels=(*spatial[:-1], half),
    )


def _stdc(wrapper: dict, maps: Sequence[Map]) -> dict[str, Any]:
    fused = maps[0].channels + wrapper['out_channels']
    return dict(
        last_in_channels=(maps[-1].channels, maps[-2].channels),
        ffm_cfg=dict(wrapper['ffm_cfg'], in_channels=fused),
    )


def run_segmentor(model: nn.Module) -> None:
    """Run every part of a segmentor once: prediction and auxiliary heads."""
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
