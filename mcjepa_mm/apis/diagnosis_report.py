"""Table and bar charts of a feature diagnosis."""

from collections.abc import Sequence

import numpy as np

from mcjepa_mm.evaluation.functional.feature_findings import LevelFigures
from mcjepa_mm.visualization.level_bars import draw_level_bars

from .feature_diagnosis import LIMITS, Diagnosis

# figure, head of its column, title of its panel
_SHARES = (
    ('constant', 'constant', 'constant vector, share of the energy'),
    ('position', 'position', 'position, share of the variance'),
    ('rank', 'rank', 'centred RankMe, of the most it can be'),
    ('top_direction', 'top dir.', 'top direction, share of the variance'),
    ('same_object', 'same object', 'nearest cell on the same object'),
    ('pck', 'PCK', 'nearest cell within 1 cell of the true place'),
)


def diagnosis_table(
    found: Sequence[Diagnosis], *, untrained: bool = False
) -> str:
    """Markdown table of all levels; ``untrained`` adds random weights'."""
    from tabulate import tabulate

    head = ['pictures', 'level', 'stride']
    head += [title for _, title, _ in _SHARES[:2]]
    head += ['rank', 'of', 'top dir.']
    head += ['same object', 'chance', 'PCK', 'chance']
    rows = []
    for x in found:
        others = x.untrained if untrained else [None] * len(x.trained)
        for one, other in zip(x.trained, others):
            rows.append(
                [
                    x.pictures,
                    one.level,
                    one.stride,
                    _cell(one, other, 'constant'),
                    _cell(one, other, 'position'),
                    _cell(one, other, 'rank', digits=1),
                    one.max_rank,
                    _cell(one, other, 'top_direction'),
                    _cell(one, other, 'same_object'),
                    _cell(one, None, 'same_object_chance'),
                    _cell(one, other, 'pck'),
                    _cell(one, None, 'pck_chance'),
                ]
            )
    return tabulate(
        rows,
        head,
        tablefmt='github',
        disable_numparse=True,
        stralign='right',
        numalign='right',
    )


def _cell(
    one: LevelFigures,
    other: LevelFigures | None,
    name: str,
    digits: int = 2,
) -> str:
    texts = [
        '-' if (value := getattr(x, name)) is None else f'{value:.{digits}f}'
        for x in (one, other)
        if x is not None
    ]
    return texts[0] + ''.join(f' ({text})' for text in texts[1:])


def draw_diagnosis(
    found: Sequence[Diagnosis], name: str, size: int
) -> np.ndarray:
    """Bar charts of all sources, (H, W, 3) uint8, RGB."""
    sheets = []
    for x in found:
        columns = dict(trained=x.trained, untrained=x.untrained)
        panels, limits = {}, {}
        for figure, _, title in _SHARES:
            series = {
                encoder: [_share(level, figure) for level in levels]
                for encoder, levels in columns.items()
            }
            if all(value is None for value in series['trained']):
                continue
            panels[title] = series
            if figure in LIMITS:
                limits[title] = LIMITS[figure]
        sheets.append(
            draw_level_bars(
                panels,
                [f'level {i.level}\n/{i.stride}' for i in x.trained],
                limits=limits,
                heading=f'{name}: {x.pictures}, {x.number} pictures of '
                f'{size} x {size} px\n{x.verdict}',
            )
        )
    return np.concatenate(sheets)


def _share(level: LevelFigures, figure: str) -> float | None:
    if figure == 'rank':
        return level.rank / level.max_rank
    return getattr(level, figure)
