"""Metric of the DAVIS-2017 benchmark."""

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mcjepa_mm.evaluation.functional import (
    object_scores,
    sequence_statistics,
)
from mcjepa_mm.registry import METRICS
from mcjepa_mm.utils.atomic_write import atomic_write

from .sequence_metric import SequenceMetric

_FIGURES = ('mean', 'recall', 'decay')


@METRICS.register_module()
class DAVISMetric(SequenceMetric):
    """Region similarity J and boundary measure F, in percent.

    - ``J_mean``, ``J_recall``, ``J_decay``, ``F_mean``, ``F_recall``,
      ``F_decay``: the statistics of each object over its frames, averaged
      over the objects of all sequences together;
    - ``JF_mean``: the mean of ``J_mean`` and ``F_mean``.

    The rules are those of the benchmark's evaluator for its semi-supervised
    task: the first and the last frame do not count; objects are 1 to the
    highest number of the first true mask, a number without a pixel
    included; 255, and what appears later, is background; an object that is
    not predicted is empty. Where samples have ``new_objects``, as those of
    :class:`~mcjepa_mm.datasets.YouTubeVOS`, objects are those, each from the
    frame after the one in which it begins; one without such a frame does not
    count. See
    :func:`~mcjepa_mm.evaluation.functional.region_similarity`,
    :func:`~mcjepa_mm.evaluation.functional.boundary_measure` and
    :func:`~mcjepa_mm.evaluation.functional.sequence_statistics`.

    Prints a table with a line for every object, the means of every sequence
    and those of all objects. Order of sequences and number of processes
    change no bit of it; a sequence that came twice, as samplers pad, counts
    once.

    Args:
        out_dir (str, optional): Folder for ``objects.csv`` and
            ``sequences.csv``, the same figures in full precision; it is made
            if it does not exist. Defaults to None: no files.
        table (bool): Whether to print the table; a validation that comes
            again and again may do without. Defaults to True.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`.
        prefix (str, optional): See :class:`mmengine.evaluator.BaseMetric`.
    """

    def __init__(
        self,
        out_dir: str | None = None,
        table: bool = True,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.out_dir = out_dir
        self.table = table
        self._begins: dict[int, int] = {}  # frame of each object
        self._scores: dict[int, list[np.ndarray]] = {}

    def process_frame(self, sample: dict, data_batch: Any, i: int) -> None:
        """Measure the objects of a frame.

        Args:
            sample (dict): See :meth:`process`; with ``gt_objects`` and
                ``pred_objects``, each ``data`` (1, H, W) uint8, and
                optionally ``ori_shape``, the size that they must have.
            data_batch (Any): Not used.
            i (int): Not used.

        Raises:
            KeyError: If it lacks a mask.
            ValueError: If a mask is of another size, nothing of the sequence
                can be measured, or an object is predicted that is not in its
                first frame.
        """
        gt = self.objects_of(
            sample,
            'gt_objects',
            sample.get('ori_shape'),
            'evaluate on a data set whose frames are all annotated, or take '
            'DAVISMetric out of the evaluator',
        )
        pred = self.objects_of(
            sample,
            'pred_objects',
            gt.shape,
            'the model has to give one for each frame',
        )
        index, last = sample['frame_index'], sample['num_frames'] - 1
        if index == 0:
            self._begin(sample, gt)
        else:
            later = dict.fromkeys(sample.get('new_objects', ()), index)
            self._begins.update(later)
        known = max(self._begins)
        if (highest := int(pred.max())) > known:
            raise ValueError(
                f'{self.where(sample)}: object {highest} is predicted, the '
                f'given masks have objects 1 to {known}; an undecided pixel '
                'has to be 0 in a prediction'
            )
        if 0 < index < last:
            now = object_scores(pred, gt, known)
            for number, begin in self._begins.items():
                if begin < index:
                    found = self._scores.setdefault(number, [])
                    found.append(now[:, number - 1])
        if index == last:
            objects = sorted(self._scores)
            scores = [np.stack(self._scores[n], axis=1) for n in objects]
            self.results.append(
                dict(
                    sequence=sample['sequence'],
                    objects=objects,
                    J=[region.tolist() for region, _ in scores],
                    F=[outline.tolist() for _, outline in scores],
                )
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average over the objects, print and write the tables.

        Args:
            results (list[dict]): What :meth:`process_frame` stored.

        Returns:
            dict[str, float]: The figures named in the class's docstring.

        Raises:
            OSError: If a table cannot be written.
            ValueError: If there is no sequence, or two have one name.
        """
        found: dict[str, dict] = {}
        for result in results:
            name = result['sequence']
            if found.setdefault(name, result) != result:
                raise ValueError(
                    f'two different results of the sequence {name!r}; give '
                    'sequences different names, and where they have, let the '
                    'model be the same on all processes'
                )
        if not found:
            raise ValueError('DAVISMetric got no sequence; check the data set')
        objects = {
            name: [
                dict(sequence=name, object=number, **_statistics(*scores))
                for number, *scores in zip(
                    result['objects'], result['J'], result['F'], strict=True
                )
            ]
            for name, result in sorted(found.items())
        }
        overall = _means(chain.from_iterable(objects.values()))
        self._report(objects, overall)
        return overall

    def _begin(self, sample: dict, gt: np.ndarray) -> None:
        """Start a sequence with its first true mask."""
        if sample['num_frames'] < 3:
            raise ValueError(
                f'{self.where(sample)}: a sequence of '
                f'{sample["num_frames"]} frames cannot be measured, its first '
                'and last frame do not count; leave it out of the data set'
            )
        self._scores = {}
        highest = int(gt.max(initial=0, where=gt != 255))
        objects = sample.get('new_objects', range(1, highest + 1))
        self._begins = dict.fromkeys(objects, 0)
        if not self._begins:
            raise ValueError(
                f'{self.where(sample)}: there is no object in the first true '
                'mask; number the objects from 1'
            )

    def _report(
        self, objects: dict[str, list[dict]], overall: dict[str, float]
    ) -> None:
        """Print and write the rows of every sequence's objects."""
        means = {name: _means(rows) for name, rows in objects.items()}
        if self.table:
            sections = [
                [*rows, dict(sequence=name, object='mean', **means[name])]
                for name, rows in objects.items()
            ]
            sections.append([dict(sequence='all', object='mean', **overall)])
            table = render_table(sections)
            print_log(f'\n{table}', logger='current')
        if self.out_dir is not None:
            out_dir = Path(self.out_dir)
            rows = list(chain.from_iterable(objects.values()))
            write_csv(out_dir / 'objects.csv', rows)
            rows = [
                dict(sequence=name, objects=len(objects[name]), **figures)
                for name, figures in means.items()
            ]
            write_csv(out_dir / 'sequences.csv', rows)


def _statistics(region: list[float], outline: list[float]) -> dict[str, float]:
    """An object's figures from its J and F of every frame."""
    figures = {
        f'{letter}_{name}': 100 * value
        for letter, values in (('J', region), ('F', outline))
        for name, value in sequence_statistics(values).items()
    }
    return _with_both(figures)


def _means(rows: Iterable[dict[str, Any]]) -> dict[str, float]:
    """The figures of several objects."""
    rows = list(rows)
    names = [f'{letter}_{name}' for letter in 'JF' for name in _FIGURES]
    return _with_both(
        {name: float(np.mean([row[name] for row in rows])) for name in names}
    )


def _with_both(figures: dict[str, float]) -> dict[str, float]:
    both = (figures['J_mean'] + figures['F_mean']) / 2
    return dict(JF_mean=both, **figures)


def render_table(sections: Sequence[Sequence[dict[str, Any]]]) -> str:
    """Format rows as a table for a terminal or a log file.

    Args:
        sections (Sequence): Groups of rows, with a line between them; the
            keys of a row are the heads of the columns.

    Returns:
        str: Lines of plain text, the first column flush left; float numbers
        with two digits after the point.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    columns = list(sections[0][0])
    # plain signs: log files are not UTF-8 everywhere
    table = Table(box=box.ASCII2)
    for column in columns:
        first = column == columns[0]
        table.add_column(column, justify='left' if first else 'right')
    for rows in sections:
        for row in rows:
            table.add_row(*(_cell(row[column]) for column in columns))
        table.add_section()
    # as wide as it needs, and without what only a terminal understands
    text = io.StringIO()
    Console(
        file=text, width=10_000, color_system=None, markup=False, emoji=False
    ).print(table)
    return text.getvalue()


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as comma-separated values, in full precision.

    Args:
        path (Path): File; its folder is made.
        rows (Sequence[dict]): At least one; all with the same keys.

    Raises:
        OSError: If it cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, text.getvalue().encode())


def _cell(value: Any) -> str:
    return f'{value:.2f}' if isinstance(value, float) else str(value)
