"""Tables of real_evaluation: arms with all seeds, and paired differences."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from _records import markdown, mixed_origins

from mcjepa_mm.evaluation.frozen.segmentation import LARGE

Arms = dict[str, dict[int, dict]]
"""By arm and seed what all lines of the two say."""

_ORIGIN = dict(
    commit='commits', processor='processors', torch='versions of torch'
)


class Figure(NamedTuple):
    """A figure by what it was measured on.

    Attributes:
        units (tuple): Names of clips, pairs or pictures.
        values (np.ndarray): (U,), whose mean it is; or (U, 3, C) right,
            predicted and true pixels of classes, whose mean IoU it is.
    """

    units: tuple
    values: np.ndarray

    def of(self, counts: np.ndarray) -> np.ndarray:
        """The figure if each unit were there so many times.

        Args:
            counts (np.ndarray): (R, U).

        Returns:
            np.ndarray: (R,).
        """
        flat = self.values.reshape(len(self.values), -1)
        total = counts @ flat
        if self.values.ndim == 1:
            return total[:, 0] / counts.sum(axis=1)
        right, predicted, true = np.moveaxis(
            total.reshape(len(counts), 3, -1), 1, 0
        )
        union = predicted + true - right
        # as mean_iou: of classes that are predicted or true somewhere
        shares = right / np.where(union > 0, union, 1)
        return 100 * shares.sum(axis=1) / (union > 0).sum(axis=1)

    @property
    def value(self) -> float:
        """The figure itself."""
        return float(self.of(np.ones((1, len(self.units))))[0])


def figures_of(record: dict) -> dict[str, Figure]:
    """The figures of a record by the names of rows."""
    figures = {}
    for key, value in record.items():
        if key.startswith('images/'):
            for name, right in value['right'].items():
                values = np.array([100.0 * int(x) for x in right])
                figures[f'{key[7:]} {name}'] = Figure(
                    tuple(range(len(values))), values
                )
    if 'segmentation' in record:
        areas = np.array(record['segmentation']['areas'], float)
        names = list(record['segmentation']['iou'])
        large = [names.index(name) for name in LARGE]
        units = tuple(range(len(areas)))
        figures['mIoU'] = Figure(units, areas)
        figures['mIoU large'] = Figure(units, areas[:, :, large])
    for name, clips in record.get('davis', {}).items():
        figures[f'J&F {name}'] = _by_name(clips, lambda x: x['JF'])
    # Middlebury came first and has no name in the rows
    for name, row in (
        ('middlebury', 'EPE'),
        ('flyingchairs', 'EPE FlyingChairs'),
        ('sintel', 'EPE Sintel'),
    ):
        if name in record:
            pairs = record[name]
            figures[row] = _by_name(pairs, lambda x: x['epe'])
            figures[f'{row} / zero'] = _by_name(
                pairs, lambda x: x['epe'] / x['zero']
            )
    return figures


def _by_name(found: dict[str, dict], value: Callable) -> Figure:
    names = tuple(sorted(found))
    return Figure(names, np.array([value(found[x]) for x in names], float))


def arms_of(records: Iterable[dict]) -> Arms:
    """Bring lines together; of equal measurements the last one counts."""
    arms: Arms = {}
    for record in records:
        seeds = arms.setdefault(record['arm'], {})
        seeds.setdefault(record['seed'], {}).update(record)
    return {arm: dict(sorted(seeds.items())) for arm, seeds in arms.items()}


def mixed_lines(records: Sequence[dict]) -> str:
    """A line for each origin in which lines differ, or nothing."""
    return '\n'.join(
        f'MIXED: these lines come from different {_ORIGIN[key]}, so '
        f'differences may be theirs: {each}'
        for key, each in mixed_origins(records, _ORIGIN).items()
    )


def real_table(records: Sequence[dict]) -> str:
    """Markdown: mean over seeds, and the value of each seed.

    Accuracies, mIoU and J&F in per cent, EPE in pixels.
    """
    arms = arms_of(records)
    figures = {
        arm: [figures_of(record) for record in seeds.values()]
        for arm, seeds in arms.items()
    }
    # figures down and arms across: there are many figures
    heads = [
        f'{arm} (seeds {", ".join(map(str, seeds))})'
        if len(seeds) > 1
        else f'{arm} (seed {next(iter(seeds))})'
        for arm, seeds in arms.items()
    ]
    lines = []
    for name in _names(figures):
        digits = _digits(name)
        cells = []
        for found in figures.values():
            values = [x[name].value for x in found if name in x]
            each = [
                f'{x[name].value:.{digits}f}' if name in x else '-'
                for x in found
            ]
            cell = f'{np.mean(values):.{digits}f}' if values else ''
            if values and len(each) > 1:
                cell += f' ({", ".join(each)})'
            cells.append(cell)
        lines.append([name, *cells])
    return markdown(['', *heads], lines)


def difference_table(
    records: Sequence[dict], arm: str, others: Sequence[str]
) -> str:
    """Markdown: an arm minus others, with 95 % intervals.

    Returns:
        str: A row for each figure that both have.

    Raises:
        ValueError: If there is no such arm, or two were measured on other
            clips, pictures or pairs.
    """
    figures = {
        name: [figures_of(record) for record in seeds.values()]
        for name, seeds in arms_of(records).items()
    }
    for name in (arm, *others):
        if name not in figures:
            raise ValueError(
                f'there is no line of arm {name!r}; there are those of '
                f'{", ".join(map(repr, figures))}'
            )
    lines = []
    for name in _names({arm: figures[arm]}):
        cells = []
        for other in others:
            sides = [
                [x[name] for x in figures[y] if name in x]
                for y in (arm, other)
            ]
            cell = ''
            if all(sides):
                try:
                    cell = _difference_cell(*sides, _digits(name))
                except ValueError as error:
                    raise ValueError(
                        f'{name} of {arm!r} and {other!r}: {error}'
                    ) from error
            cells.append(cell)
        lines.append([name, *cells])
    return markdown(['', *(f'{arm} - {x}' for x in others)], lines)


def paired_difference(
    first: Sequence[Figure],
    second: Sequence[Figure],
    num_resamples: int = 10_000,
) -> tuple[float, float | None, float | None]:
    """Difference of two figures and its 95 % bootstrap interval.

    Clips, pictures or pairs are drawn, the same ones for both sides; each
    side is the mean of its seeds, which are not drawn.

    Returns:
        tuple: The difference and the interval's ends, by percentiles; None
        of fewer than 3 units, whose resamples say nothing.

    Raises:
        ValueError: If they were measured on different units.
    """
    units = first[0].units
    for figure in (*first, *second):
        if figure.units != units:
            raise ValueError(
                'paired differences need the same clips, pictures or pairs, '
                f'got {len(units)} such as {units[0]!r} and '
                f'{len(figure.units)} such as {figure.units[0]!r}'
            )

    def difference(counts):
        sides = [[x.of(counts) for x in side] for side in (first, second)]
        return np.mean(sides[0], axis=0) - np.mean(sides[1], axis=0)

    n = len(units)
    value = float(difference(np.ones((1, n)))[0])
    if n < 3:
        return value, None, None
    rng = np.random.default_rng(0)
    # as many at a time as are small
    part = max(1, min(num_resamples, 2_000_000 // n))
    found = []
    for start in range(0, num_resamples, part):
        rows = min(part, num_resamples - start)
        drawn = rng.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * n)
        found.append(difference(counts.reshape(rows, n).astype(float)))
    low, high = np.percentile(np.concatenate(found), (2.5, 97.5))
    return value, float(low), float(high)


def _difference_cell(
    first: Sequence[Figure], second: Sequence[Figure], digits: int
) -> str:
    value, low, high = paired_difference(first, second)
    cell = f'{value:+.{digits}f}'
    if low is None:
        return cell
    return f'{cell} ({low:+.{digits}f} to {high:+.{digits}f})'


def _names(figures: dict[str, list[dict]]) -> list[str]:
    """All figures in the order in which they come."""
    return list(
        dict.fromkeys(
            name for found in figures.values() for one in found for name in one
        )
    )


def _digits(name: str) -> int:
    return 3 if name.startswith('EPE') else 2
