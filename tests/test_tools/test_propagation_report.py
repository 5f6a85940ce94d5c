"""The choice of a read-out and the differences between features."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / 'tools/analysis_tools'))

import _propagation_report as report
import _propagation_sources as sources


def row(features, kind, figures, *setting, arch=0, **more):
    clips = {
        name: dict(JF_mean=value, J_mean=0.0, F_mean=0.0)
        for name, value in zip('abcd', figures)
    }
    return dict(
        features=features,
        kind=kind,
        arch=arch,
        **sources.Setting(*setting)._asdict(),
        JF_mean=float(np.mean(figures)),
        J_mean=0.0,
        F_mean=0.0,
        clips=clips,
        **more,
    )


def test_settings_are_all_combinations_that_differ():
    every = sources.every_setting((128, 384), (4,), ('all', '2'), ('none',))
    assert every[1] == (128, 4, '2', 'none') and len(every) == 4
    settings = {
        kind: sources.Source('x', kind).settings(every)
        for kind in ('trained', 'colours', 'perfect', 'first mask')
    }
    assert settings == {
        'trained': every,
        'colours': [(128, 4, '-', 'none'), (384, 4, '-', 'none')],
        'perfect': [(128, 4, '-', '-'), (384, 4, '-', '-')],
        'first mask': [('-', '-', '-', '-')],
    }
    assert sources.read_levels('all') == 'all'
    assert sources.read_levels('0,2') == [0, 2]


def test_best_of_each_scale_and_whitening_is_chosen():
    rows = [
        row('net', 'trained', [10, 20], 128, 4, 'all', 'none'),
        row('net', 'trained', [30, 20], 128, 8, '2', 'none'),
        row('net', 'trained', [30, 20], 128, 4, '2', 'none'),
        row('net', 'trained', [90, 20], 128, 4, 'all', 'first_frame'),
        row('net', 'trained', [40, 20], 384, 4, 'all', 'none'),
        row('colours', 'colours', [1, 2], 128, 4, '-', 'none'),
    ]
    assert report.choose(rows) == dict(
        net=[
            (128, 4, 'all', 'first_frame'),  # the best of all
            (384, 4, 'all', 'none'),
            (128, 8, '2', 'none'),  # the first of two that tie
        ],
        colours=[(128, 4, '-', 'none')],
    )


def test_differences_are_those_of_each_clip():
    rows = [
        row('net', 'trained', [50, 60, 71, 80], 128, 4, 'all', 'none'),
        row('r0', 'untrained', [40, 50, 60, 70], 128, 4, 'all', 'none'),
        row('r1', 'untrained', [42, 52, 62, 72], 128, 4, 'all', 'none'),
        row('r2', 'untrained', [0] * 4, 128, 4, 'all', 'none', arch=1),
        row('r0', 'untrained', [0] * 4, 128, 4, '2', 'none'),
        row('c', 'colours', [51, 58, 70, 80], 128, 4, '-', 'none'),
        row('c', 'colours', [0] * 4, 384, 4, '-', 'none'),
    ]
    found = report.differences(rows, is_choice=False)
    assert [(x['features'], x['minus']) for x in found] == [
        ('net', 'untrained'),
        ('net', 'colours'),
    ]
    assert found[0]['clips'] == dict(a=9, b=9, c=10, d=9)
    assert found[1]['clips'] == dict(a=-1, b=2, c=1, d=0)
    assert found[0]['mean'] == 9.25 and found[1]['mean'] == 0.5
    assert found[0]['low'] == 9 and 9.25 < found[0]['high'] <= 10
    assert found[1]['low'] < 0 < found[1]['high']
    text = report.difference_table(found)
    assert '| net - colours | 128 px, stride 4, levels all | +0.50 |' in text


def test_chosen_settings_are_compared_with_chosen_ones():
    setting = {
        name: (128, 4, name, 'none') for name in ('all', '2', '0,1', '-')
    }
    rows = [
        row('net', 'trained', [5, 7, 9], *setting['all'], chosen=True),
        row('net', 'trained', [9, 9, 9], 384, 4, 'all', 'none', chosen=False),
        row('r', 'untrained', [4, 6, 8], *setting['2'], chosen=False),
        row('r', 'untrained', [1, 1, 1], 384, 4, '2', 'none', chosen=True),
        row('c', 'colours', [3, 3, 3], *setting['-'], chosen=True),
    ]
    found = report.differences(rows, is_choice=True)
    means = [
        (x['minus'], x.get('short_side', 'chosen'), x['mean']) for x in found
    ]
    assert means == [
        ('untrained', 128, 1),
        ('colours', 128, 4),
        ('untrained', 'chosen', 6),
        ('colours', 'chosen', 4),
        ('untrained', 384, 8),
    ]
    assert '| net - untrained | as chosen (*) | +6.00 |' in (
        report.difference_table(found)
    )
    assert '| net | 128 | 4 | all | - | 7.00 * | 0.00 |' in report.table(rows)


def test_interval_covers_as_often_as_it_says():
    """Of normal values nearly: percentiles are a little narrow."""
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        low, high = report.paired_interval(rng.normal(3, 2, 30), 500)
        inside += low <= 3 <= high
    assert 0.88 <= inside / 200 <= 0.99
    values = rng.normal(size=30)
    low, high = report.paired_interval(values)
    width = 2 * 1.96 * values.std() / 30**0.5
    assert high - low == pytest.approx(width, rel=0.05)
    assert report.paired_interval([1, 2]) == (None, None)
