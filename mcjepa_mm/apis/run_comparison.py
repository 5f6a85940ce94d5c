"""Curves and final figures of training runs, side by side."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from mcjepa_mm.visualization.run_curves import draw_run_curves

_SCALARS = 'vis_data/scalars.json'
_ORIGIN = ('seed', 'commit', 'processor', 'threads')
# what the comparison leaves out where nobody asks for it
_ASIDE = (
    *('lr', '*/lr', 'base_lr', '*/base_lr', '*time', 'memory', 'grad_norm'),
    *('bad_samples', 'schedule.*', 'collapse/*'),
)
_PLACE = ('epoch', 'iter', 'step')


@dataclass(frozen=True)
class Run:
    """What a run has logged.

    Attributes:
        name (str): Its folder.
        curves (dict): By the figure's name, the value by training step; of a
            validation, by the last step that was logged before it, and with
            ``val/`` before the name if the training has the same.
        environment (dict): Its ``environment.json``, or nothing.
    """

    name: str
    curves: dict[str, dict[int, float]]
    environment: dict[str, Any]


def read_run(folder: str | os.PathLike) -> Run:
    """Read the curves of a run, also of one that was resumed or still goes on.

    What a later start repeats, or begins anew, replaces the earlier one's.

    Args:
        folder (str | PathLike): A work dir, or one start of it,
            ``WORK_DIR/TIMESTAMP``.

    Raises:
        FileNotFoundError: If there is no run.
        ValueError: If a line of its scalars is damaged.
    """
    folder = Path(folder)
    files = sorted(folder.glob(f'*/{_SCALARS}')) or [*folder.glob(_SCALARS)]
    if not files:
        raise FileNotFoundError(
            f'{folder} is no run: expected a work dir with '
            f'TIMESTAMP/{_SCALARS}, as a training writes it'
        )
    curves: dict[str, dict[int, float]] = {}
    trained: set[str] = set()
    step = 0
    for path in files:
        is_first = True
        for record in _records(path):
            is_training = 'iter' in record
            if is_training:
                step = record['iter']
                trained |= record.keys()
            if is_training and is_first:
                is_first = False
                curves = {
                    name: {k: v for k, v in curve.items() if k < step}
                    for name, curve in curves.items()
                }
            for name, value in record.items():
                if name in _PLACE or not isinstance(value, (int, float)):
                    continue
                if not is_training and name in trained:
                    name = f'val/{name}'
                curves.setdefault(name, {})[step] = value
    origin = files[-1].parents[1] / 'environment.json'
    environment = json.loads(origin.read_text()) if origin.is_file() else {}
    return Run(folder.resolve().name, curves, environment)


def _records(path: Path) -> list[dict[str, Any]]:
    # a run that goes on may be writing the last line
    lines = path.read_text().rpartition('\n')[0].splitlines()
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise ValueError(
                f'{path}, line {number}: expected JSON ({error})'
            ) from error
    return records


def compare(
    folders: Sequence[str | os.PathLike],
    figures: Sequence[str] | None = None,
) -> tuple[str, np.ndarray]:
    """Put runs side by side.

    Args:
        folders (Sequence[str | PathLike]): See :func:`read_run`. They are
            called by their last part, or as given if two have the same.
        figures (Sequence[str], optional): Names of figures, which may have
            ``*`` and ``?``. Defaults to None: losses and validation.

    Returns:
        tuple[str, np.ndarray]: A Markdown table of the last values, with '-'
        where a run has none; and the curves, (H, W, 3) uint8, RGB.

    Raises:
        FileNotFoundError: If a folder is no run.
        ValueError: If no run has a figure that is asked for, or a line of
            scalars is damaged.

    Example::

        table, picture = compare(['work_dirs/joint', 'work_dirs/content'])
    """
    runs = [read_run(folder) for folder in folders]
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        names = [os.fspath(folder) for folder in folders]
    chosen = _choose(runs, figures)
    rows = [['steps', *(_last_step(run) for run in runs)]]
    for key in _ORIGIN:
        values = [run.environment.get(key) for run in runs]
        if any(x is not None for x in values):
            rows.append([key, *('-' if x is None else x for x in values)])
    for figure in chosen:
        curves = [run.curves.get(figure) for run in runs]
        last = ['-' if not x else f'{x[max(x)]:.4g}' for x in curves]
        rows.append([figure, *last])
    panels = {
        figure: {
            name: run.curves[figure]
            for name, run in zip(names, runs)
            if run.curves.get(figure)
        }
        for figure in chosen
    }
    from tabulate import tabulate

    table = tabulate(
        rows,
        ['', *names],
        tablefmt='github',
        disable_numparse=True,
        colalign=('left', *('right' for _ in names)),
    )
    return table, draw_run_curves(panels)


def _choose(runs: Sequence[Run], patterns: Sequence[str] | None) -> list[str]:
    """Figures in the order in which they are logged first."""
    found = [*dict.fromkeys(name for run in runs for name in run.curves)]
    if patterns is None:
        chosen = [x for x in found if not _fits(x, _ASIDE)]
        if not chosen:
            raise ValueError('no run has logged a loss or a validation yet')
        return chosen
    for pattern in patterns:
        if not any(_fits(name, [pattern]) for name in found):
            raise ValueError(
                f'no run has a figure {pattern!r}; they have '
                f'{", ".join(found) or "none yet"}'
            )
    return [name for name in found if _fits(name, patterns)]


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _last_step(run: Run) -> int:
    return max((max(x, default=0) for x in run.curves.values()), default=0)
