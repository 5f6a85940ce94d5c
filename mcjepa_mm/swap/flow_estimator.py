"""Swapping the encoder of mmflow's models."""

from typing import Any

import torch
from torch import nn

from .measure import PROBE, Map, SwapError, backbone_maps, build, type_name
from .new_backbone import NewBackbone
from .readers import Row, Swapped

# RAFT and its kin correlate maps of stride 8: this level of a pyramid whose
# every step halves.
_RAFT_LEVEL = 2


def swap_flow_estimator(model: dict, new: NewBackbone) -> Swapped:
    """Replace the encoder, or encoders, of a flow estimator."""
    kind = type_name(model)
    swaps = dict(PWCNet=_swap_pwcnet, RAFT=_swap_raft)
    if kind not in swaps:
        raise SwapError(
            f'of mmflow, models of type {", ".join(swaps)} can be swapped; '
            f'the decoder of {kind!r} is made for its own encoder'
        )
    return swaps[kind](model, new)


def _swap_raft(model: dict, new: NewBackbone) -> Swapped:
    changes: dict[str, Any] = {}
    rows = []
    for part in ('encoder', 'cxt_encoder'):
        old = model[part]
        changes[part] = dict(
            type='mcjepa_mm.MapEncoder',
            out_channels=old['out_channels'],
            backbone=_backbone(new, (_RAFT_LEVEL,)),
        )
        before = backbone_maps(old, 'mmflow')
        after = backbone_maps(changes[part], 'mmflow')
        rows.append(Row(part, old['type'], before, after))
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
    row = Row('encoder', old['type'], [*before.values()], [*after.values()])
    if [m.stride for m in row.old] != [m.stride for m in row.new]:
        raise SwapError(
            f'the levels of {old["type"]} are not named by their strides'
        )
    more = {
        name: after[name].channels - before[name].channels for name in before
    }
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


def _backbone(new: NewBackbone, out_indices: tuple[int, ...]) -> dict:
    # As pretrained: every step halves, which is what a flow pyramid does.
    config = new.config((2, 4, 8, 16, 32, 64), {})
    return {**config, 'out_indices': out_indices}


@torch.no_grad()
def _levels(encoder: dict) -> dict[str, Map]:
    """The maps of an encoder that returns a dict, fine to coarse."""
    outputs = build(encoder, 'mmflow')(torch.zeros(1, 3, PROBE, PROBE))
    if not isinstance(outputs, dict):
        raise SwapError(f'{encoder["type"]} returns no pyramid')
    return {
        name: Map(outputs[name].shape[1], PROBE // outputs[name].shape[-1])
        for name in sorted(outputs)
    }


def run_flow_estimator(model: nn.Module) -> None:
    """Estimate the flow of a pair once."""
    model(torch.zeros(1, 6, PROBE, PROBE), mode='tensor')
