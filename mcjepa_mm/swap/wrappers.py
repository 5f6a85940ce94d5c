"""Backbones of mmsegmentation that hold a replaceable encoder of their own."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from .measure import Map, type_name


def _bisenetv1(wrapper: dict, maps: Sequence[Map]) -> dict[str, Any]:
    # Its fusion module takes the two paths' maps side by side and expects
    # context_channels[1] of them: half each.
    coarser, coarsest = maps[-2].channels, maps[-1].channels
    half = coarser // 2
    spatial = tuple(wrapper.get('spatial_channels', (64, 64, 64, 128)))
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


# What follows from the channels of the encoder inside.
WRAPPERS: dict[str, Callable[[dict, Sequence[Map]], dict[str, Any]]] = {
    'BiSeNetV1': _bisenetv1,
    'STDCContextPathNet': _stdc,
}
INSIDE = 'backbone_cfg'
# Where the encoder's maps are concatenated with others: a ResNet's maps are
# rounded up as those are, the new encoder's down.
DIVISORS = {'BiSeNetV1': 32}


def rewrap(wrapper: dict, encoder: dict, maps: Sequence[Map]) -> dict:
    """Put another encoder into a wrapper.

    Args:
        wrapper (dict): Config of the wrapper, left as it is; its ``type`` is
            a key of ``WRAPPERS``.
        encoder (dict): Config of the encoder that comes in.
        maps (Sequence[Map]): Its maps, of the strides of the old one's.

    Returns:
        dict: The wrapper's new config.
    """
    follows = WRAPPERS[type_name(wrapper)](wrapper, maps)
    return {**deepcopy(dict(wrapper)), **follows, INSIDE: encoder}
