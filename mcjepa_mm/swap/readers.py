"""Parts of a model that read feature maps: what they say of the channels."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from .errors import SwapError
from .measure import Map


@dataclass(frozen=True)
class Row:
    """What a part of the model reads, before the swap and after.

    Attributes:
        part (str): Where it stands in the model's config.
        kind (str): Its type.
        old (tuple[Map]): The maps that it read.
        new (tuple[Map]): Those that it reads now.
    """

    part: str
    kind: str
    old: tuple[Map, ...]
    new: tuple[Map, ...]


def adapt_neck(
    neck: dict, old: Sequence[Map], new: Sequence[Map]
) -> tuple[dict, Row]:
    """Change the channels that a neck expects.

    Args:
        neck (dict): Its config, left as it is.
        old (Sequence[Map]): Maps of the old backbone.
        new (Sequence[Map]): Maps of the new one, as many.

    Returns:
        tuple: The new config, and what it reads.

    Raises:
        SwapError: If its ``in_channels`` are not those of the old maps.
    """
    given = neck.get('in_channels')
    before = [m.channels for m in old]
    after = [m.channels for m in new]
    neck = deepcopy(neck)
    row = Row('neck', neck['type'], tuple(old), tuple(new))
    if given is None:
        return neck, row
    # An int for a neck of one map; YOLO's necks name the coarsest map first.
    choices = {
        tuple(before): after,
        tuple(reversed(before)): list(reversed(after)),
    }
    wanted = tuple([given] if isinstance(given, int) else given)
    if wanted not in choices:
        raise SwapError(
            f'the neck {neck["type"]} expects {wanted} channels, but the '
            f'backbone gives {tuple(before)}'
        )
    channels = choices[wanted]
    neck['in_channels'] = _like(given, channels)
    return neck, row


def adapt_head(
    head: dict, part: str, old: Sequence[Map], new: Sequence[Map]
) -> tuple[dict, list[Row]]:
    """Change the channels that a head, or heads inside it, expect.

    Args:
        head (dict): Its config, left as it is.
        part (str): Where it stands in the model's config.
        old (Sequence[Map]): The maps that all heads can choose from.
        new (Sequence[Map]): Those after the swap, as many.

    Returns:
        tuple: The new config, and what each reader in it reads.

    Raises:
        SwapError: If its ``in_channels`` are not those of the old maps.
    """
    head = deepcopy(head)
    rows = []
    for name, reader in _readers(head, part):
        indices = _indices(reader)
        if not all(-len(old) <= i < len(old) for i in indices):
            raise SwapError(
                f'{name} ({reader["type"]}) reads in_index='
                f'{reader.get("in_index")}, but there are {len(old)} maps'
            )
        before = tuple(old[i] for i in indices)
        after = tuple(new[i] for i in indices)
        _set_channels(reader, name, before, after)
        if 'c1_in_channels' in reader:  # DeepLabV3+ reads the finest as well
            _expect(reader, 'c1_in_channels', name, old[0])
            reader['c1_in_channels'] = new[0].channels
            before, after = (old[0], *before), (new[0], *after)
        rows.append(Row(name, reader['type'], before, after))
    return head, rows


def _readers(head: dict, part: str) -> Iterator[tuple[str, dict]]:
    """The head, or the heads in it that read maps (K-Net's)."""
    if 'in_channels' in head:
        yield part, head
        return
    for key, value in head.items():
        if isinstance(value, dict) and {'in_channels', 'in_index'} <= {*value}:
            yield f'{part}.{key}', value


def _indices(head: dict) -> list[int]:
    index = head.get('in_index')
    if index is None:  # of mmdetection's heads, and mmsegmentation's default
        several = not isinstance(head['in_channels'], int)
        return list(range(len(head['in_channels']))) if several else [-1]
    return [index] if isinstance(index, int) else list(index)


def _set_channels(
    head: dict, name: str, old: Sequence[Map], new: Sequence[Map]
) -> None:
    given = head['in_channels']
    single = isinstance(given, int)
    expected = [m.channels for m in old]
    if ([given] if single else list(given)) != expected:
        raise SwapError(
            f'{name} ({head["type"]}) expects {given} channels, but the maps '
            f'that it reads have {expected}'
        )
    channels = [m.channels for m in new]
    head['in_channels'] = _like(given, channels)
    if head.get('num_convs') == 0:  # it classifies the maps as they are
        head['channels'] = sum(channels)


def _expect(head: dict, key: str, name: str, found: Map) -> None:
    if head[key] != found.channels:
        raise SwapError(
            f'{name} ({head["type"]}) has {key}={head[key]}, but the map '
            f'that it reads has {found.channels} channels'
        )


def _like(given: int | list | tuple, channels: list[int]) -> Any:
    """As the config had it: an int, a list, or a tuple (JPU insists)."""
    return channels[0] if isinstance(given, int) else type(given)(channels)
