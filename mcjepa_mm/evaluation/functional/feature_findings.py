"""Describe levels of an encoder beyond the limits, in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: A level is mostly one constant vector above this share of its energy,
CONSTANT = 0.5
#: has a code of absolute position above this share of its variance,
POSITION = 0.1
#: has one direction that rules above this share of its variance,
TOP_DIRECTION = 0.4
#: and few directions below this share of those that it could use,
RANK = 0.1
#: if the same encoder with random weights is less so by this factor: one
#: direction, brightness, holds half of the variance of photographs there too.
FACTOR = 1.25


@dataclass(frozen=True)
class LevelFigures:
    """The figures of a level; None where there is nothing to measure.

    Attributes:
        level (int): Index in the pyramid, 0 is the finest.
        stride (int): Pixels.
        channels (int): Number of channels.
        constant (float): Share of the energy that is one constant vector.
        position (float, optional): Share of what varies that the absolute
            position explains.
        rank (float): Effective rank after centring.
        max_rank (int): The most it can be.
        top_direction (float, optional): Share of the variance in the first
            principal direction.
        same_object (float, optional): Share of the objects' cells whose
            nearest cell in the next frame lies on the same object.
        same_object_chance (float, optional): The same by a random choice.
        pck (float, optional): Share of the visible cells whose nearest cell
            in the next frame is within one cell of the true place.
        pck_chance (float, optional): The same by a random choice.
    """

    level: int
    stride: int
    channels: int
    constant: float
    position: float | None
    rank: float
    max_rank: int
    top_direction: float | None
    same_object: float | None = None
    same_object_chance: float | None = None
    pck: float | None = None
    pck_chance: float | None = None


def findings(
    levels: Sequence[LevelFigures], reference: Sequence[LevelFigures]
) -> list[str]:
    """List the levels beyond the limits of this module, with values.

    Args:
        levels (Sequence[LevelFigures]): Fine to coarse.
        reference (Sequence[LevelFigures]): Of the same encoder with random
            weights, on the same pictures.

    Returns:
        list[str]: A clause for each kind of fault; none if all is well.
    """
    found = []
    for name, limit, one, several, what in (
        (
            'constant',
            CONSTANT,
            'is mostly one constant vector',
            'are mostly one constant vector',
            'of the energy',
        ),
        (
            'position',
            POSITION,
            'codes absolute position',
            'code absolute position',
            'of what varies',
        ),
        (
            'top_direction',
            TOP_DIRECTION,
            'is ruled by one direction',
            'are ruled by one direction',
            'of the variance',
        ),
    ):
        over = {}
        for level, other in zip(levels, reference, strict=True):
            value, usual = getattr(level, name), getattr(other, name)
            if value is not None and value > max(limit, FACTOR * (usual or 0)):
                over[level.level] = value
        if over:
            up_to = 'up to ' if len(over) > 1 else ''
            found.append(
                f'{_subject(over)} {several if len(over) > 1 else one} '
                f'({up_to}{max(over.values()):.2f} {what})'
            )
    few = [
        level
        for level, other in zip(levels, reference, strict=True)
        if level.rank < min(RANK * level.max_rank, other.rank / FACTOR)
    ]
    if few:
        worst = min(few, key=lambda x: x.rank / x.max_rank)
        found.append(
            f'{_subject([x.level for x in few])} '
            f'{"use" if len(few) > 1 else "uses"} few directions (rank '
            f'{worst.rank:.1f} of {worst.max_rank} at level {worst.level})'
        )
    return found


def _subject(levels: Iterable[int]) -> str:
    """``level 2``, or ``levels 0, 2 to 3 and 5``."""
    runs: list[list[int]] = []
    for level in levels:
        if runs and level == runs[-1][-1] + 1:
            runs[-1].append(level)
        else:
            runs.append([level])
    names = [
        f'{run[0]} to {run[-1]}' if len(run) > 1 else f'{run[0]}'
        for run in runs
    ]
    if len(names) == 1:
        return f'level{"s" if len(runs[0]) > 1 else ""} {names[0]}'
    return f'levels {", ".join(names[:-1])} and {names[-1]}'
