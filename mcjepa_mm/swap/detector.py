"""Swapping the backbone of mmdetection's models."""

from typing import Any

import torch
from torch import nn

from .measure import PROBE, SwapError, backbone_maps, neck_maps
from .new_backbone import NewBackbone
from .readers import Swapped, adapt_head, adapt_neck

# Heads that read all of the maps.
DENSE_HEADS = ('rpn_head', 'bbox_head', 'mask_head', 'panoptic_head')


def swap_detector(model: dict, new: NewBackbone) -> Swapped:
    """Replace the backbone of a detector."""
    if (model.get('roi_head') or {}).get('shared_head'):
        raise SwapError(
            'its roi_head holds the last stage of the ResNet that would go; '
            'take a config with a neck, such as one with FPN'
        )
    old, neck = model['backbone'], model.get('neck')
    before = backbone_maps(old, 'mmdet')
    backbone = new.config([m.stride for m in before], old)
    after = backbone_maps(backbone, 'mmdet')
    changes: dict[str, Any] = dict(backbone=backbone)
    if isinstance(neck, (list, tuple)):
        first, row = adapt_neck(neck[0], before, after)
        changes['neck'] = [first, *neck[1:]]
        return Swapped(changes, [row])
    if neck:
        changes['neck'], row = adapt_neck(neck, before, after)
        made = neck_maps(neck, before, 'mmdet')
        if made != neck_maps(changes['neck'], after, 'mmdet'):
            raise SwapError(
                f'the neck {neck["type"]} hands the channels of the backbone '
                'on, and the heads of mmdetection are left as they are'
            )
        return Swapped(changes, [row])
    rows = []
    for part in DENSE_HEADS:
        if 'in_channels' in (model.get(part) or {}):
            head, found = adapt_head(model[part], part, before, after)
            changes[part] = head
            rows += found
    if not rows:
        raise SwapError(
            f'the {model.get("type")} has no neck, and none of '
            f'{", ".join(DENSE_HEADS)} says what maps it reads'
        )
    return Swapped(changes, rows)


def run_detector(model: nn.Module) -> None:
    """Run backbone, neck and the dense head of a detector once.

    What follows on them (regions of interest, suppression) sees no channels
    of the backbone, and needs compiled operators.
    """
    feats = model.extract_feat(torch.zeros(1, 3, PROBE, PROBE))
    for part in ('rpn_head', 'bbox_head'):
        head = getattr(model, part, None)
        # A transformer's heads read queries and no maps.
        if head is not None and hasattr(head, 'forward_single'):
            head(feats)
