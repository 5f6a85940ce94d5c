"""Swapping the encoder of mmflow's models."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .errors import SwapError
from .measure import PROBE, Map, backbone_maps, build, type_name
from .new_backbone import NewBackbone
from .readers import Row
from .swapped import Swapped

# RAFT and its kin correlate maps of stride 8: this level of a pyramid whose
# every step halves.
_RAFT_LEVEL = 2


def swap_flow_estimator(model: dict, new: NewBackbone) -> Swapped:
    """Replace the encoder, or encoders, of a flow estimator.

    Args:
        model (dict): The model's config, left as it is.
        new (NewBackbone): What is to take the encoder's place.

    Returns:
        Swapped: The parts of the config that change.

    Raises:
        SwapError: If the model cannot be swapped.
    """
    kind = type_name(model)
    if kind not in _SWAPS:
        raise SwapError(
            f'of mmflow, models of type {", ".join(_SWAPS)} can be swapped; '
            f'the decoder of {kind!r} is made for its own encoder'
        )
    return _SWAPS[kind](model, new)


def _swap_raft(model: dict, new: NewBackbone) -> Swapped:
    changes: dict[str, Any] = {}
    rows = []
    for part in ('encoder', 'cxt_encoder'):
        old = model[part]
        backbone = _backbone(new, (_RAFT_LEVEL,))
        changes[part] = dict(
            type='mcjepa_mm.MapEncoder',
            out_channels=old['out_channels'],
            backbone=backbone,
        )
        after = _maps(changes[part])
        rows.append(Row(part, old['type'], tuple(_maps(old)), tuple(after)))
    return Swapped(
        changes,
        rows,
        ['the levels after stride 8 are not used: find_unused_parameters'],
        dict(find_unused_parameters=True),
    )


def _swap_pwcnet(model: dict, new: NewBackbone) -> Swapped:
    old = model['encoder']
    before = _levels(old)
    indices = [int(name.removeprefix('level')) - 1 for name in before]
    encoder = dict(
        type='mcjepa_mm.PyramidEncoder',
        backbone=_backbone(new, tuple(indices)),
        level_names=tuple(before),
    )
    after = _levels(encoder)
    if [m.stride for m in before.values()] != [
        m.stride for m in after.values()
    ]:
        raise SwapError(
            f'the levels of {old["type"]} are not named by their strides'
        )
    more = {
        name: after[name].channels - before[name].channels for name in before
    }
    row = Row(
        'encoder', old['type'], tuple(before.values()), tuple(after.values())
    )
    decoder = dict(model['decoder'])
    # The coarsest level reads the correlation alone, the others the
    # features of their level as well.
    coarsest = max(decoder['in_channels'])
    finest = min(decoder['in_channels'])
    decoder['in_channels'] = {
        name: width if name == coarsest else width + more[name]
        for name, width in decoder['in_channels'].items()
    }
    context = dict(decoder['post_processor'])
    context['in_channels'] += more[finest]
    # The mean over channels: their sum starts from a flow of thousands of
    # pixels with features of several hundred.
    decoder.update(post_processor=context, scaled=True)
    return Swapped(
        dict(encoder=encoder, decoder=decoder),
        [row],
        ['decoder: the correlation becomes a mean over channels (scaled)'],
    )


_SWAPS: dict[str, Callable[[dict, NewBackbone], Swapped]] = dict(
    PWCNet=_swap_pwcnet, RAFT=_swap_raft
)


def _backbone(new: NewBackbone, out_indices: tuple[int, ...]) -> dict:
    # As pretrained: every step halves, which is what a flow pyramid does.
    config = new.config((2, 4, 8, 16, 32, 64), {})
    return {**config, 'out_indices': out_indices}


def _maps(encoder: dict) -> list[Map]:
    return backbone_maps(encoder, 'mmflow')


@torch.no_grad()
def _levels(encoder: dict) -> dict[str, Map]:
    """The maps of an encoder that returns a dict, fine to coarse."""
    module = build(encoder, 'mmflow')
    outputs = module(torch.zeros(1, 3, PROBE, PROBE))
    if not isinstance(outputs, dict):
        raise SwapError(f'{encoder["type"]} returns no pyramid')
    return {
        name: Map(outputs[name].shape[1], PROBE // outputs[name].shape[-1])
        for name in sorted(outputs)
    }


@torch.no_grad()
def run_flow_estimator(model: nn.Module) -> None:
    """Estimate the flow of a pair once.

    Args:
        model (nn.Module): In eval mode.
    """
    model(torch.zeros(1, 6, PROBE, PROBE), mode='tensor')
