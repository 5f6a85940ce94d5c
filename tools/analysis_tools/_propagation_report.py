"""Tables of label propagation results and paired differences."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from _propagation_sources import FIGURES, Setting
from _records import markdown

Row = dict[str, Any]
"""``features``, ``kind``, ``arch``, the fields of a :class:`Setting`,
``FIGURES`` and ``clips``, these by clip."""

COLUMNS = {
    'features': 'features',
    'short_side': 'short side',
    'stride': 'stride',
    'levels': 'levels',
    'whiten': 'whitened by',
}
HEADS = dict(zip(FIGURES, ('J&F', 'J', 'F')))
_WORDS = dict(none='-', first_frame='first frame')


def setting_of(row: Row) -> Setting:
    """How a row's features were read out."""
    return Setting(*(row[name] for name in Setting._fields))


def choose(rows: Iterable[Row]) -> dict[str, list[Setting]]:
    """The setting of the highest J&F, by whose features they are.

    Returns:
        dict: For each short side and each whitening the best stride and
        levels; the best of all is the first.
    """
    best: dict[str, dict[tuple, Row]] = {}
    for row in rows:
        groups = best.setdefault(row['features'], {})
        key = row['short_side'], row['whiten']
        if key not in groups or row['JF_mean'] > groups[key]['JF_mean']:
            groups[key] = row
    return {
        name: [
            setting_of(row)
            for row in sorted(groups.values(), key=lambda x: -x['JF_mean'])
        ]
        for name, groups in best.items()
    }


def differences(rows: Sequence[Row], *, is_choice: bool) -> list[dict]:
    """What trained features have over untrained ones and over colours.

    Args:
        rows (Sequence[Row]): Of the same clips.
        is_choice (bool): Whether each of the features has settings of its
            own: then those of one short side and whitening are compared, and
            the ``chosen`` ones; else those of the same setting.

    Returns:
        list[dict]: ``features``, ``minus`` ('untrained', the mean of the
        seeds, or 'colours'), what they have in common, ``mean``, ``low`` and
        ``high`` (see :func:`paired_interval`) and ``clips``, the differences
        of J&F by clip.
    """
    found = []
    for row in rows:
        if row['kind'] != 'trained':
            continue
        shared = ('short_side', 'whiten')
        if not is_choice:
            shared = Setting._fields
        common = {key: row[key] for key in shared}
        found += _over_others(row, rows, common)
        if row.get('chosen'):
            found += _over_others(row, rows, dict(chosen=True))
    return found


def _over_others(row: Row, rows: Sequence[Row], common: dict) -> list[dict]:
    found = []
    for kind in ('untrained', 'colours'):
        # colours have no levels
        keys = set(common) - ({'levels'} if kind == 'colours' else set())
        others = [
            x
            for x in rows
            if x['kind'] == kind
            and (kind == 'colours' or x['arch'] == row['arch'])
            and all(x.get(key) == common[key] for key in keys)
        ]
        if not others:
            continue
        clips = {
            name: figures['JF_mean']
            - float(np.mean([x['clips'][name]['JF_mean'] for x in others]))
            for name, figures in row['clips'].items()
        }
        low, high = paired_interval(list(clips.values()))
        found.append(
            dict(
                features=row['features'],
                minus=kind,
                **common,
                mean=float(np.mean(list(clips.values()))),
                low=low,
                high=high,
                clips=clips,
            )
        )
    return found


def paired_interval(
    values: Sequence[float], num_resamples: int = 10_000
) -> tuple[float, float] | tuple[None, None]:
    """95 % bootstrap interval of a mean, by percentiles.

    Returns:
        tuple: Its ends, or None of fewer than 3 values, whose resamples say
        nothing.
    """
    if len(values) < 3:
        return None, None
    rng = np.random.default_rng(0)
    size = (num_resamples, len(values))
    means = np.asarray(values)[rng.integers(len(values), size=size)].mean(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def table(rows: Sequence[Row]) -> str:
    """Rows in Markdown; the chosen setting has a star."""
    head = [*COLUMNS.values(), *HEADS.values()]
    lines = [
        [
            *(_word(row[key]) for key in COLUMNS),
            *(f'{row[key]:.2f}' for key in HEADS),
        ]
        for row in rows
    ]
    for row, line in zip(rows, lines):
        line[-3] += ' *' * bool(row.get('chosen'))
    return markdown(head, lines) + '\n'


def difference_table(found: Sequence[dict]) -> str:
    """What :func:`differences` found, in Markdown."""
    lines = []
    for x in found:
        if x.get('chosen'):
            where = 'as chosen (*)'
        else:
            parts = [f'{x["short_side"]} px']
            if 'stride' in x:
                parts += [f'stride {x["stride"]}', f'levels {x["levels"]}']
            if x['whiten'] != 'none':
                parts.append(f'whitened by {_word(x["whiten"])}')
            where = ', '.join(parts)
        interval = '-'
        if x['low'] is not None:
            interval = f'{x["low"]:+.2f} to {x["high"]:+.2f}'
        name = f'{x["features"]} - {x["minus"]}'
        count = str(len(x['clips']))
        lines.append([name, where, f'{x["mean"]:+.2f}', interval, count])
    head = ['difference of J&F', 'read-out', 'mean', '95 %', 'clips']
    return markdown(head, lines) + '\n'


def _word(value: Any) -> str:
    return _WORDS.get(value, str(value))
