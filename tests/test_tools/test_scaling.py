import sys
from pathlib import Path

import cv2
import pytest

FOLDER = Path(__file__).resolve().parents[2] / 'tools' / 'analysis_tools'
sys.path.append(str(FOLDER))
import scaling  # noqa: E402

CONFIG = str(scaling.CONFIG)


def test_batches_of_the_tasks_keep_the_proportion_of_the_config():
    # the default job has 32 images and 4 pairs
    assert scaling.view_shapes(CONFIG, 16, 64) == dict(
        content=(16, 2, 3, 64, 64), motion=(2, 2, 3, 64, 64)
    )
    with pytest.raises(SystemExit, match='motion'):
        scaling.view_shapes(CONFIG, 12, 64)


def test_shares_of_what_is_linear():
    lines = scaling.points([8, 16], [64, 128], [1, 2])
    found = {
        (8, 64, 1): (10.0, 1.0),
        (16, 64, 1): (12.0, 1.5),
        (8, 128, 1): (2.0, 2.0),
        (8, 64, 2): (15.0, 1.0),
    }
    assert scaling.table(lines, found).splitlines()[2:] == [
        '| 8 | 64 | 1 | 10.0 | 1.00 | 1.00 |',
        '| 16 | 64 | 1 | 12.0 | 1.20 | 1.50 |',
        '| 8 | 128 | 1 | 2.0 | 0.80 | 2.00 |',
        '| 8 | 64 | 2 | 15.0 | 0.75 | 1.00 |',
    ]


def test_ratios_are_of_step_by_step():
    times = dict(none=[(1.0, 1.0), (2.0, 1.0), (4.0, 1.0)])
    times['other'] = [(2.0, 1.0), (2.0, 0.5), (2.0, 1.5)]
    assert scaling.ratio_rows(2, times)[1] == (
        *(2, 'other', '1.00 (0.50 to 2.00)', '1.00 (0.50 to 1.50)'),
    )


@pytest.mark.slow
def test_options_of_ddp_take_turns(run):
    small = ('--batches', 8, '--steps', 1, '--processes', 2)
    done = run('python', FOLDER / 'scaling.py', '--ddp', *small)
    assert done.returncode == 0, done.stderr
    rows = [x for x in done.stdout.splitlines() if x.startswith('| 2')]
    assert rows[0].endswith(' | 1.00 (1.00 to 1.00)' * 2 + ' |')
    assert len(rows) == len(scaling.ddp_options()) > 3


@pytest.mark.slow
def test_a_tiny_run_prints_a_table_and_draws(run, tmp_path):
    out = tmp_path / 'new' / 'scaling.png'
    small = ('--batches', 8, '--resolutions', 64, '--processes', 1, 2)
    done = run(
        'python', FOLDER / 'scaling.py', *small, '--steps', 1, '--out', out
    )
    assert done.returncode == 0, done.stderr
    rows = [
        [float(x) for x in line.strip('| ').split('|')]
        for line in done.stdout.splitlines()
        if line.startswith('| 8')
    ]
    assert [row[:3] for row in rows] == [[8, 64, 1], [8, 64, 2]]
    for _, _, processes, rate, share, gib in rows:
        assert rate > 0 and 0 < gib < 4
        assert share == pytest.approx(
            rate / rows[0][3] / processes, abs=0.01, rel=0.01
        )
    height, width, _ = cv2.imread(str(out)).shape
    assert width > height > 400
