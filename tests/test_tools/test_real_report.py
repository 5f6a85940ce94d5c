"""Tables of lines that are written by hand."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from mcjepa_mm.datasets.camvid_dataset import CamVid
from mcjepa_mm.evaluation.functional import mean_iou

TOOLS = Path(__file__).parents[2] / 'tools/analysis_tools'
sys.path.append(str(TOOLS))

import _real_table as real  # noqa: E402

CLIPS = 'abcd'


def record(arm, seed, scores, **more):
    clips = {name: dict(JF=x) for name, x in zip(CLIPS, scores)}
    origin = dict(commit='c1', processor='AVX2', torch='2')
    return dict(arm=arm, seed=seed, davis=dict(stride8=clips), **origin) | more


RECORDS = [
    record('joint', 1, [52, 62, 73, 80]),
    record('joint', 0, [50, 60, 71, 80]),
    record('content', 0, [40, 50, 60, 70]),
]


def test_means_and_every_seed():
    table = real.real_table(RECORDS)
    assert table.splitlines() == [
        '|  | joint (seeds 0, 1) | content (seed 0) |',
        '| --- | --- | --- |',
        '| J&F stride8 | 66.00 (65.25, 66.75) | 55.00 |',
    ]
    # what was measured apart is one line; the last of equals counts
    more = [
        record('content', 0, [1, 1, 1, 1]),
        dict(
            arm='content',
            seed=0,
            middlebury=dict(x=dict(epe=1, zero=2), y=dict(epe=3, zero=4)),
        ),
    ]
    lines = real.real_table(RECORDS + more).splitlines()
    assert lines[2].endswith('| 1.00 |')
    assert lines[3:] == ['| EPE |  | 2.000 |', '| EPE / zero |  | 0.625 |']


def test_differences_are_paired():
    joint, content = (
        [real.figures_of(x)['J&F stride8'] for x in part]
        for part in (RECORDS[:2], RECORDS[2:])
    )
    value, low, high = real.paired_difference(joint, content)
    # of the clips 11, 11, 12 and 10: their resampled means
    assert value == pytest.approx(11)
    deltas = np.array([11, 11, 12, 10])
    every = np.array(np.meshgrid(*[deltas] * 4)).reshape(4, -1).mean(axis=0)
    ends = np.percentile(every, (2.5, 97.5))
    np.testing.assert_allclose((low, high), ends, atol=1e-9)
    alike = [real.Figure(x.units, x.values + 3) for x in joint]
    shifted = real.paired_difference(alike, joint)
    assert shifted == pytest.approx((3, 3, 3))
    two = [real.Figure(('a', 'b'), np.ones(2))]
    assert real.paired_difference(two, two) == (0, None, None)
    with pytest.raises(ValueError, match='4 such'):
        real.paired_difference(joint, two)


def test_mean_iou_is_that_of_all_drawn_pictures():
    rng = np.random.default_rng(0)
    areas = rng.integers(1, 9, size=(5, 3, 11))
    areas[:, 1:] += areas[:, :1]
    areas[:, :, 2] = 0  # a class that does not occur
    classes = CamVid.METAINFO['classes']
    segmentation = dict(areas=areas.tolist(), iou=dict.fromkeys(classes))
    found = real.figures_of(dict(arm='x', seed=0, segmentation=segmentation))
    large = [classes.index(name) for name in real.LARGE]
    counts = np.array([[2, 0, 1, 1, 1.0], [0, 0, 0, 5, 0]])
    for name, chosen in (('mIoU', None), ('mIoU large', large)):
        expected = [
            100 * mean_iou(np.tensordot(row, areas, 1), chosen)
            for row in counts
        ]
        np.testing.assert_allclose(found[name].of(counts), expected)


def test_the_tool_prints_and_refuses(command_here, tmp_path):
    def report(records, *words):
        text = ''.join(json.dumps(x) + '\n' for x in records)
        (tmp_path / 'a.jsonl').write_text(text)
        return command_here('real_report', 'a.jsonl', *words)

    done = report(RECORDS, '--minus', 'content')
    assert done.returncode == 0 and 'MIXED' not in done.stdout
    assert '|  | joint - content |' in done.stdout
    assert '| J&F stride8 | +11.00 (+10.25 to +11.75) |' in done.stdout
    other = record('content', 1, [0] * 4, commit='c2')
    done = report([*RECORDS, other], '--minus', 'content')
    (line,) = [x for x in done.stdout.splitlines() if 'MIXED' in x]
    assert 'c1 (3 lines), c2 (1 lines)' in line
    done = report(RECORDS, '--minus', 'motion')
    assert done.returncode == 1 and "'motion'" in done.stderr
