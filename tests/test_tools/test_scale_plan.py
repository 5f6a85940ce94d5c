"""The formulae against cases worked by hand."""

import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / 'tools' / 'analysis_tools'
sys.path.append(str(FOLDER))
import scale_plan  # noqa: E402

import mcjepa_mm  # noqa: E402, F401  (patches imports)


def test_a_ring_of_8_sends_and_receives_7_eighths_twice():
    assert scale_plan.all_reduce_seconds(800, 8, 100) == 14
    assert scale_plan.all_reduce_seconds(800, 1, 100) == 0


def test_the_slowest_part_is_the_step():
    loads = dict(images=0.5, pairs=2.0)
    assert scale_plan.step_seconds(1.0, loads, 0.25) == (2.0, 'pairs')
    assert scale_plan.step_seconds(2.0, loads, 0.25) == (2.25, 'the step')


def test_checkpoints_at_the_interval_lose_least():
    interval = scale_plan.checkpoint_interval(8, 10000)
    assert interval == 400
    # 8 of 400 s are saving; every 10000 s 200 s are made again after 100
    lost = scale_plan.lost_share(8, 100, 10000, interval)
    assert lost == pytest.approx(0.05)
    for other in (300, 500):
        assert scale_plan.lost_share(8, 100, 10000, other) > lost


def test_work_grows_with_the_batch():
    from benchmarks.joint_step import operations

    assert operations('tiny', (16, 224), (4, 256, 512)) == 2 * operations()


@pytest.fixture
def measured(tmp_path):
    def row(part, shape, *seconds):
        return dict(part=part, shape=shape, side='ours', seconds=seconds)

    path = tmp_path / 'bench.json'
    records = [
        row('recipe_step', '8 x 2 views, 2 pairs', 2.0),
        row('content_views', '2 x 224 px of 375 x 500', 0.01, 0.5, 0.02),
        row('frame_pairs', '.mp4, 360 x 640', 0.04),
    ]
    machine = dict(processor='AVX2', threads=1)
    path.write_text(json.dumps(dict(machine=machine, records=records)))
    return path


def test_the_table(command_here, measured):
    # as fast as this machine, alone and without failures
    from benchmarks.joint_step import operations

    words = ('--processes', 1, '--node-size', 1, '--node-hours', 1e12)
    words += ('--batch', 8, '--pairs', 2, '--images', 8 * 86400)
    words += ('--gpu-flops', operations() / 2, '--image-bytes', 1e9)
    words += ('--archs', 'tiny')
    done = command_here('scale_plan', measured, *words)
    (row,) = [x for x in done.stdout.splitlines() if x.startswith('| tiny')]
    # 8 x 20 ms and 2 x 40 ms of loading, 8 GB and 2 MB to read, in 2 s
    assert row == '| tiny | 2 | 2.000 | 0.000 | 0.1 | 4.0 | 2.0 |'
    assert '86,400 steps' in done.stdout


def test_what_is_missing_is_named(command_here, measured):
    content = json.loads(measured.read_text())
    del content['records'][2]
    measured.write_text(json.dumps(content))
    done = command_here('scale_plan', measured)
    assert done.returncode == 1 and 'frame_pairs' in done.stderr
    done = command_here('scale_plan', measured, '--processes', 0)
    assert done.returncode == 2 and '--processes' in done.stderr
