"""Adapt the in_channels of necks and heads."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from .measure import Map, SwapError


@dataclass(frozen=True)
class Row:
    """Feature maps read by a part of the model, before and after.

    Attributes:
        part (str): Where it stands in the model's config.
        kind (str): Its type.
        old (Sequence[Map]): The maps that it read.
        new (Sequence[Map]): Those that it reads now.
    """

    part: str
    kind: str
    old: Sequence[Map]
    new: Sequence[Map]


@dataclass(frozen=True)
class Swapped:
    """A model after the swap.

    Attributes:
        changes (dict): Parts of the model's config that are replaced, by
            name; None for one that is removed.
        rows (list[Row]): What the parts read before and after.
        notes (list[str]): What a user should know about it.
        settings (dict): Settings beside the model that go with it.
    """

    changes: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


def adapt_neck(
    neck: dict, old: Sequence[Map], new: Sequence[Map]
) -> tuple[dict, Row]:
    """Change the channels that a neck expects of the backbone's maps."""
    neck = deepcopy(neck)
    row = Row('neck', neck['type'], old, new)
    given = neck.get('in_channels')
    if given is None:
        return neck, row
    # YOLO's necks name the coarsest map first.
    for step in (1, -1):
        before = [m.channels for m in old[::step]]
        if _channels(given) == before:
            after = [m.channels for m in new[::step]]
            neck['in_channels'] = _like(given, after)
            return neck, row
    raise SwapError(
        f'the neck {neck["type"]} expects {tuple(_channels(given))} channels, '
        f'but the backbone gives {tuple(m.channels for m in old)}'
    )


def adapt_head(
    head: dict, part: str, old: Sequence[Map], new: Sequence[Map]
) -> tuple[dict, list[Row]]:
    """Change the channels that a head, or heads inside it, expect.

    Returns:
        tuple: The new config, and what each reader in it reads.
    """
    head = deepcopy(head)
    rows = []
    for name, reader in _readers(head, part):
        kind, given = reader['type'], reader['in_channels']
        indices = _indices(reader)
        if not all(-len(old) <= i < len(old) for i in indices):
            raise SwapError(
                f'{name} ({kind}) reads in_index={reader.get("in_index")}, '
                f'but there are {len(old)} maps'
            )
        before = [old[i] for i in indices]
        after = [new[i] for i in indices]
        expected = [m.channels for m in before]
        if _channels(given) != expected:
            raise SwapError(
                f'{name} ({kind}) expects {given} channels, but the maps '
                f'that it reads have {expected}'
            )
        channels = [m.channels for m in after]
        reader['in_channels'] = _like(given, channels)
        if reader.get('num_convs') == 0:  # it classifies the maps as they are
            reader['channels'] = sum(channels)
        if 'c1_in_channels' in reader:  # DeepLabV3+ reads the finest as well
            if reader['c1_in_channels'] != old[0].channels:
                raise SwapError(
                    f'{name} ({kind}) has c1_in_channels='
                    f'{reader["c1_in_channels"]}, but the map that it reads '
                    f'has {old[0].channels} channels'
                )
            reader['c1_in_channels'] = new[0].channels
            before, after = [old[0], *before], [new[0], *after]
        rows.append(Row(name, kind, before, after))
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


def _channels(given: int | list | tuple) -> list[int]:
    return [given] if isinstance(given, int) else list(given)


def _like(given: int | list | tuple, channels: list[int]) -> Any:
    """As the config had it: an int, a list, or a tuple (JPU insists)."""
    return channels[0] if isinstance(given, int) else type(given)(channels)
