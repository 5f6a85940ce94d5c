import csv
import json

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData

from mcjepa_mm.evaluation import DAVISMetric
from mcjepa_mm.evaluation.functional import (
    boundary_measure,
    region_similarity,
)
from mcjepa_mm.registry import METRICS

SIZE = 60, 80  # the diagonal is 100: the boundary measure reaches 1 pixel
LEFT = np.zeros(SIZE, np.uint8)
LEFT[10:30, 10:30] = 1
RIGHT = np.zeros(SIZE, np.uint8)
RIGHT[35:55, 50:70] = 1
BOTH = LEFT + 2 * RIGHT
EMPTY = np.zeros_like(LEFT)


def moved(mask, columns):
    return np.roll(mask, columns, axis=1)


def evaluate(*videos, **kwargs):
    evaluator = Evaluator(DAVISMetric(**kwargs))
    for video in videos:
        for frame in video:
            evaluator.process([frame])
    return evaluator.evaluate(sum(map(len, videos)))


@pytest.fixture
def make(video_frames):
    """Function of name, true and predicted masks: the frames."""
    return lambda name, gt, pred: video_frames(
        name, np.stack(gt), np.stack(pred)
    )


def expect(J, F, J_recall, F_recall, J_decay, F_decay):
    return pytest.approx(
        dict(
            JF_mean=50 * (J + F),
            J_mean=100 * J,
            J_recall=100 * J_recall,
            J_decay=100 * J_decay,
            F_mean=100 * F,
            F_recall=100 * F_recall,
            F_decay=100 * F_decay,
        ),
        abs=1e-9,
    )


# Squares of 20 pixels, shifted by 1 and 2; see the tests of J and F.
J1, J2 = 380 / 420, 360 / 440
F2 = 42 / 80


@pytest.mark.parametrize(
    'gt, pred, expected',
    [
        # whatever the first and the last frame are, they do not count
        ([LEFT] * 3, [EMPTY, LEFT, EMPTY], expect(1, 1, 1, 1, 0, 0)),
        (
            [LEFT] * 4,
            [LEFT, moved(LEFT, 1), moved(LEFT, 2), LEFT],
            expect((J1 + J2) / 2, (1 + F2) / 2, 1, 1, J1 - J2, 1 - F2),
        ),
        # two objects change their numbers half-way
        (
            [BOTH] * 4,
            [BOTH, BOTH, RIGHT + 2 * LEFT, BOTH],
            expect(0.5, 0.5, 0.5, 0.5, 1, 1),
        ),
        # it is gone in the second half of six that count, and in the
        # prediction one frame later: 1, 1, 1, 0, 1, 1; the quarters that
        # decay compares are the first and the last two of them
        (
            [LEFT] * 4 + [EMPTY] * 4,
            [LEFT] * 5 + [EMPTY] * 3,
            expect(5 / 6, 5 / 6, 5 / 6, 5 / 6, 0, 0),
        ),
        # it is never found again: 1, 0, 0, and quarters 0 to 1 and 2
        (
            [LEFT] * 5,
            [LEFT, LEFT, EMPTY, EMPTY, EMPTY],
            expect(1 / 3, 1 / 3, 1 / 3, 1 / 3, 0.5, 0.5),
        ),
        # the second object is not predicted at all
        ([BOTH] * 3, [BOTH, LEFT, BOTH], expect(0.5, 0.5, 0.5, 0.5, 0, 0)),
        # a number without a pixel is an object all the same: 1 here is
        # nowhere, which is right, and 2 is
        ([2 * LEFT] * 3, [2 * LEFT] * 3, expect(1, 1, 1, 1, 0, 0)),
        ([2 * LEFT] * 3, [EMPTY] * 3, expect(0.5, 0.5, 0.5, 0.5, 0, 0)),
        # undecided pixels and objects that appear later are background
        (
            [LEFT + 255 * RIGHT, LEFT + 255 * RIGHT, LEFT],
            [LEFT] * 3,
            expect(1, 1, 1, 1, 0, 0),
        ),
        ([LEFT, BOTH, LEFT], [LEFT] * 3, expect(1, 1, 1, 1, 0, 0)),
    ],
)
def test_by_hand(make, gt, pred, expected):
    assert evaluate(make('a', gt, pred)) == expected


def test_a_mean_over_objects_is_not_one_over_sequences(make):
    two = make('two', [BOTH] * 3, [BOTH] * 3)
    one = make('one', [LEFT] * 3, [EMPTY] * 3)
    assert evaluate(two, one)['J_mean'] == pytest.approx(200 / 3, abs=1e-9)


def random_videos():
    """Name, true and predicted masks of four videos."""
    rng = np.random.default_rng(0)
    videos = []
    for name, frames in zip('cadb', (3, 7, 4, 9), strict=True):
        blocks = rng.integers(0, 4, (2, frames, 6, 8))
        blocks[:, 0, 0, 0] = 3
        gt, pred = blocks.repeat(10, axis=2).repeat(10, axis=3)
        same = (
            rng.random(gt.shape) < np.linspace(1, 0.3, frames)[:, None, None]
        )
        videos.append((name, gt, np.where(same, gt, pred)))
    return videos


def test_random_videos_equal_the_rules_in_plain_words(make, tmp_path, logged):
    videos = random_videos()
    metric = dict(type='mcjepa_mm.DAVISMetric', out_dir=str(tmp_path / 'new'))
    evaluator = Evaluator(METRICS.build(metric))
    for video in videos:
        evaluator.process(make(*video))
    found = evaluator.evaluate(23)
    objects, sequences = [], []
    for name, gt, pred in sorted(videos, key=lambda video: video[0]):
        rows = []
        for number in range(1, 4):
            row = dict(sequence=name, object=number, JF_mean=0)
            for letter, measure in (
                ('J', region_similarity),
                ('F', boundary_measure),
            ):
                values = np.array(
                    [
                        measure(pred[i] == number, gt[i] == number)
                        for i in range(1, len(gt) - 1)
                    ]
                )
                ids = np.linspace(1, len(values), 5) + 1e-10
                ids = np.round(ids).astype(int) - 1
                quarters = [
                    values[ids[i] : ids[i + 1] + 1].mean() for i in range(4)
                ]
                row[f'{letter}_mean'] = 100 * values.mean()
                row[f'{letter}_recall'] = 100 * (values > 0.5).mean()
                row[f'{letter}_decay'] = 100 * (quarters[0] - quarters[3])
            row['JF_mean'] = (row['J_mean'] + row['F_mean']) / 2
            rows.append(row)
        objects += rows
        sequences.append(
            dict(sequence=name, objects=3)
            | {key: np.mean([row[key] for row in rows]) for key in found}
        )
    for key in found:
        expected = np.mean([row[key] for row in objects])
        assert found[key] == pytest.approx(expected, abs=1e-9)
    json.dumps(found)  # plain numbers
    for name, rows in (('objects', objects), ('sequences', sequences)):
        with open(tmp_path / 'new' / f'{name}.csv', newline='') as file:
            table = list(csv.DictReader(file))
        assert len(table) == len(rows)
        for line, row in zip(table, rows, strict=True):
            assert list(line) == list(row)
            assert line.pop('sequence') == row.pop('sequence')
            for key, value in row.items():
                assert float(line[key]) == pytest.approx(value, abs=1e-9)
    lines = [line.strip('| ').split() for line in logged[-1].split('\n')]
    lines = [[cell for cell in line if cell != '|'] for line in lines]
    assert ['a', '2', *(f'{objects[1][key]:.2f}' for key in found)] in lines
    assert ['b', 'mean', *(f'{sequences[1][k]:.2f}' for k in found)] in lines
    assert ['all', 'mean', *(f'{x:.2f}' for x in found.values())] in lines


def test_the_table_can_be_left_out(make, logged):
    video = make('a', [BOTH] * 3, [BOTH] * 3)
    assert evaluate(video, table=False) == evaluate(video)
    assert len(logged) == 1  # of the second


def test_order_and_repetition_change_no_bit(make, tmp_path):
    videos = [make(*video) for video in random_videos()]
    tables = []
    for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 2, 3, 1, 0, 3]):
        out_dir = tmp_path / str(len(tables))
        found = evaluate(*(videos[i] for i in order), out_dir=str(out_dir))
        tables.append(
            [repr(found)]
            + [path.read_bytes() for path in sorted(out_dir.iterdir())]
        )
    assert len(tables[0]) == 3
    assert tables[0] == tables[1] == tables[2]


def drop(index, key):
    def change(frames):
        delattr(frames[index], key)

    return change


def put(index, key, number):
    def change(frames):
        getattr(frames[index], key).data[0, 0, 0] = number

    return change


def tell(index, **meta):
    return lambda frames: frames[index].set_metainfo(meta)


@pytest.mark.parametrize(
    'change, error, message',
    [
        (drop(1, 'gt_objects'), KeyError, "'a', frame 1: .*all annotated"),
        (drop(2, 'pred_objects'), KeyError, 'frame 2: .*needs pred_objects'),
        (drop(0, 'num_frames'), KeyError, 'needs num_frames'),
        (put(1, 'pred_objects', 2), ValueError, 'frame 1: object 2 is pred'),
        (put(1, 'pred_objects', 255), ValueError, 'object 255 .*undecided'),
        (
            tell(1, ori_shape=(60, 81)),
            ValueError,
            r'own \(60, 81\), got \(1, 60, 80\)',
        ),
        (tell(1, frame_index=2), ValueError, "frame 1 of .*'a' is due, got"),
        (tell(1, sequence='b'), ValueError, "got frame 1 .* 'b'.*SequenceSam"),
        (tell(2, num_frames=4), ValueError, 'got frame 2 of the 4'),
        (tell(0, frame_index=1), ValueError, 'frame 0 of the 3 .* got frame'),
        (lambda frames: frames.pop(1), ValueError, 'got frame 2 of the 3'),
        (lambda frames: frames.pop(), ValueError, 'ended after 2 of its 3'),
        (lambda frames: frames.clear(), ValueError, 'no sequence'),
    ],
)
def test_refuses(make, change, error, message):
    frames = make('a', [LEFT] * 3, [LEFT] * 3)
    change(frames)
    with pytest.raises(error, match=message):
        evaluate(frames)


@pytest.mark.parametrize(
    'first, frames, message',
    [
        (EMPTY, 3, 'no object in the first true mask'),
        (255 * LEFT, 3, 'no object in the first true mask'),
        (LEFT, 2, "'a', frame 0: a sequence of 2 frames cannot"),
        (LEFT, 1, 'a sequence of 1 frames cannot'),
    ],
)
def test_sequences_of_which_nothing_can_be_measured(
    make, first, frames, message
):
    masks = [first] + [LEFT] * (frames - 1)
    with pytest.raises(ValueError, match=message):
        evaluate(make('a', masks, [EMPTY] * frames))


def test_two_results_of_one_name(make):
    videos = [make('a', [LEFT] * 3, [pred] * 3) for pred in (LEFT, EMPTY)]
    with pytest.raises(ValueError, match="different results .* 'a'"):
        evaluate(*videos)


def test_masks_of_other_kinds(make):
    frames = make('a', [LEFT] * 3, [LEFT] * 3)
    objects = frames[1].pred_objects.data
    for data, message in (
        (objects.long(), r'uint8, .* torch.int64'),
        (objects[:, 1:], r'own \(60, 80\), got \(1, 59, 80\)'),
        (torch.cat([objects] * 2), r'got \(2, 60, 80\)'),
    ):
        frames[1].pred_objects = PixelData(data=data)
        with pytest.raises(ValueError, match=f"'a', frame 1: .*{message}"):
            evaluate(frames)


def test_frames_of_a_clip_that_tell_no_more_than_they_must(make):
    frames = make('a', [LEFT] * 3, [LEFT, moved(LEFT, 1), LEFT])
    for frame in frames:
        for key in ('frame_name', 'ori_shape', 'img_path'):
            delattr(frame, key)
    evaluator = Evaluator(DAVISMetric())
    # all at once, from a batch of clips
    evaluator.process(frames, dict(inputs=torch.zeros(1, 3, 3, 60, 80)))
    assert evaluator.evaluate(1) == expect(J1, 1, 1, 1, 0, 0)


def share(rank, folder):
    from conftest import video_frames  # beside this script

    evaluator = Evaluator(DAVISMetric(out_dir=f'{folder}/out'))
    videos = random_videos()
    # one process has more to do, and one video twice, as samplers pad
    for index in ((3, 0, 2), (1, 3))[rank]:
        for frame in video_frames(*videos[index]):
            evaluator.process([frame])
    return repr(evaluator.evaluate(23))


@pytest.mark.slow
def test_two_processes_change_no_bit(make, tmp_path, two_processes):
    shares = two_processes(__file__, tmp_path)
    out_dir = tmp_path / 'one'
    videos = [make(*video) for video in random_videos()]
    expected = repr(evaluate(*videos, out_dir=str(out_dir)))
    assert shares == [expected] * 2
    for name in ('objects.csv', 'sequences.csv'):
        found = (tmp_path / 'out' / name).read_bytes()
        assert found == (out_dir / name).read_bytes()


def test_objects_that_begin_later_count_from_the_next_frame(make, tmp_path):
    """Object 2 is measured in frame 3 alone, and 3 begins too late."""
    gt = [LEFT, LEFT, BOTH, BOTH, BOTH + 3 * (moved(RIGHT, -20) == 1)]
    pred = [LEFT, LEFT, LEFT, LEFT + 2 * moved(RIGHT, 1), LEFT]
    frames = make('a', gt, pred)
    for frame, new in zip(frames, [(1,), (), (2,), (), (3,)]):
        frame.set_metainfo(dict(new_objects=new))
    found = evaluate(frames, out_dir=str(tmp_path))
    assert found == expect((1 + J1) / 2, 1, 1, 1, 0, 0)
    rows = (tmp_path / 'objects.csv').read_text().splitlines()[1:]
    assert [row.split(',')[:2] for row in rows] == [['a', '1'], ['a', '2']]
