"""The measures of DAVIS, each against a case by hand or written out."""

import math

import numpy as np
import pytest

from mcjepa_mm.evaluation.functional import (
    boundary_measure,
    object_scores,
    region_similarity,
    sequence_statistics,
)
from mcjepa_mm.evaluation.functional.davis import boundary

# The diagonal is 100 pixels, so that an outline 1 pixel off is in reach.
EMPTY = np.zeros((60, 80), bool)


def square(top, left, side=20):
    mask = EMPTY.copy()
    mask[top : top + side, left : left + side] = True
    return mask


@pytest.mark.parametrize(
    'pred, gt, expected',
    [
        (square(10, 10), square(10, 10), 1),
        # 19 x 20 of 2 x 400 less those
        (square(10, 11), square(10, 10), 380 / 420),
        (square(13, 15), square(10, 10), 17 * 15 / (800 - 17 * 15)),
        (square(10, 30), square(10, 10), 0),
        (square(12, 12, 5), square(10, 10), 25 / 400),
        (EMPTY, square(10, 10), 0),
        (square(10, 10), EMPTY, 0),
        (EMPTY, EMPTY, 1),
        (~EMPTY, EMPTY, 0),
        (square(0, 0, 1), square(0, 0, 1), 1),
        (square(0, 0, 1), square(0, 1, 1), 0),
    ],
)
def test_region_by_hand(pred, gt, expected):
    assert region_similarity(pred, gt) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    'pred, gt, message',
    [
        (EMPTY, EMPTY[1:], r'got \(\(60, 80\), .* \(\(59, 80\), '),
        (EMPTY.astype(int), EMPTY, "'int64'.*objects == number"),
        (EMPTY[0], EMPTY[0], r'got \(\(80,\)'),
        (EMPTY[:0], EMPTY[:0], r'got \(\(0, 80\)'),
    ],
)
def test_region_refuses(pred, gt, message):
    with pytest.raises(ValueError, match=message):
        region_similarity(pred, gt)


def test_scores_are_of_each_object():
    gt = (square(5, 5) + 2 * square(35, 50)).astype(np.uint8)
    gt[0, 0] = 255  # is background
    pred = (2 * square(5, 5) + 3 * square(35, 50)).astype(np.uint8)
    pred[5:25, 5:24] = 1
    scores = object_scores(pred, gt, 4)
    # 2 has a column of what is 1's, and 3 is not there in truth, nor is 4
    assert scores[0] == pytest.approx([19 / 20, 0, 0, 1], abs=1e-12)
    assert scores[1] == pytest.approx([1, 0, 0, 1], abs=1e-12)


def box(top, left, height=20, width=20):
    mask = EMPTY.copy()
    mask[top : top + height, left : left + width] = True
    return mask


def pixel(row, column):
    return box(row, column, 1, 1)


@pytest.mark.parametrize(
    'mask, expected',
    [
        (pixel(30, 40), [(29, 39), (29, 40), (30, 39), (30, 40)]),
        (pixel(0, 0), [(0, 0)]),
        (pixel(0, 40), [(0, 39), (0, 40)]),
        (pixel(30, 0), [(29, 0), (30, 0)]),
        (pixel(0, 79), [(0, 78), (0, 79)]),
        (pixel(59, 0), [(58, 0), (59, 0)]),
        # the last pixel is never boundary
        (pixel(59, 79), [(58, 78), (58, 79), (59, 78)]),
        (~pixel(59, 79), [(58, 78), (58, 79), (59, 78)]),
        (pixel(59, 40), [(58, 39), (58, 40), (59, 39), (59, 40)]),
        (pixel(30, 79), [(29, 78), (29, 79), (30, 78), (30, 79)]),
        (EMPTY, []),
        (~EMPTY, []),
        # the lower half: the picture's border is no boundary
        (box(30, 0, 30, 80), [(29, column) for column in range(80)]),
        (box(0, 50, 60, 30), [(row, 49) for row in range(60)]),
    ],
)
def test_where_the_boundary_is(mask, expected):
    rows, columns = boundary(mask).nonzero()
    found = zip(rows.tolist(), columns.tolist(), strict=True)
    assert list(found) == expected


# Round a square of 20 there are 4 * 20 boundary pixels: the rows and columns
# from one before it to its last.
@pytest.mark.parametrize(
    'pred, gt, expected',
    [
        (box(10, 10), box(10, 10), 1),
        (box(10, 11), box(10, 10), 1),
        # of either boundary 20 pixels of the upper and 20 of the lower row
        # are in reach, and of the side that is inside the other square the 2
        # that are next to its rows
        (box(10, 12), box(10, 10), 42 / 80),
        # all but 4 corners of the outer 4 * 12 are in reach, all inner ones
        (box(9, 9, 12, 12), box(10, 10, 10, 10), 2 * (44 / 48) / (92 / 48)),
        (box(10, 10, 10, 10), box(9, 9, 12, 12), 2 * (44 / 48) / (92 / 48)),
        (box(35, 45), box(10, 10), 0),
        (EMPTY, box(10, 10), 0),
        (box(10, 10), EMPTY, 0),
        (EMPTY, EMPTY, 1),
        # all and nothing: neither has a boundary
        (~EMPTY, EMPTY, 1),
        (pixel(30, 41), pixel(30, 40), 1),
        (pixel(30, 42), pixel(30, 40), 1 / 2),
        (pixel(30, 43), pixel(30, 40), 0),
        (pixel(31, 41), pixel(30, 40), 3 / 4),
        # in the last row and in the last corner; see above where they are
        (pixel(59, 78), pixel(59, 79), 1),
        (pixel(59, 77), pixel(59, 79), 2 * (2 / 4) * (2 / 3) / (7 / 6)),
        (pixel(0, 0), pixel(0, 1), 1),
        (pixel(0, 0), pixel(1, 1), 2 * 1 * (3 / 4) / (7 / 4)),
        # two rows at the bottom, of which one is left: the upper line moves,
        # and the sides' pixels stay in reach
        (box(59, 20, 1, 10), box(58, 20, 2, 10), 1),
        # of 2 * 11 pixels round a row the lower 11 are in reach; of the last
        # row the 11 above it, but not the 2 at its ends
        (
            box(57, 20, 1, 10),
            box(59, 20, 1, 10),
            2 * (11 / 22) * (11 / 13) / (11 / 22 + 11 / 13),
        ),
    ],
)
def test_boundary_by_hand(pred, gt, expected):
    assert boundary_measure(pred, gt) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    'size, reach',
    [
        # 0.008 of a diagonal of 125, 250 and 251 pixels
        ((75, 100), 1),
        ((150, 200), 2),
        ((151, 201), 3),
        ((480, 854), 8),
    ],
)
def test_reach_follows_the_diagonal(size, reach):
    gt = np.zeros(size, bool)
    gt[20, 20] = True
    for distance, expected in ((reach, 1), (reach + 1, 1 / 2)):
        # all four pixels move; the near two of each stay in reach
        pred = np.roll(gt, distance, axis=1)
        assert boundary_measure(pred, gt) == pytest.approx(expected)


def plain_boundary(mask):
    """The rule, pixel by pixel."""
    height, width = mask.shape
    found = []
    for y in range(height):
        for x in range(width):
            near = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
            if y == height - 1:
                near = near[:1]
            elif x == width - 1:
                near = near[1:2]
            near = [(i, j) for i, j in near if j < width]
            if any(mask[y, x] != mask[i, j] for i, j in near):
                found.append((y, x))
    return found


def plain_measure(pred, gt):
    """F from the distances between all boundary pixels."""
    reach = math.ceil(0.008 * math.sqrt(sum(n * n for n in gt.shape)))

    def share(of, near):
        if not of:
            return 1.0
        hits = [
            any((y - i) ** 2 + (x - j) ** 2 <= reach**2 for i, j in near)
            for y, x in of
        ]
        return sum(hits) / len(hits)

    pred, gt = plain_boundary(pred), plain_boundary(gt)
    precision, recall = share(pred, gt), share(gt, pred)
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def blobs(rng, size):
    """Up to three boxes and some noise, anywhere."""
    mask = np.zeros(size, bool)
    for _ in range(rng.integers(4)):
        (top, bottom), (left, right) = (
            sorted(rng.integers(0, side + 1, 2)) for side in size
        )
        mask[top:bottom, left:right] ^= True
    return mask ^ (rng.random(size) < rng.choice([0, 0.002]))


@pytest.mark.parametrize(
    'size', [(1, 1), (1, 30), (30, 1), (2, 2), (24, 31), (3, 400), (80, 110)]
)
def test_random_blobs_equal_the_plain_formula(size):
    rng = np.random.default_rng(0)
    values = []
    for i in range(7):
        gt = blobs(rng, size)
        pred = np.roll(gt, i // 3, axis=i % 2) if i % 3 else blobs(rng, size)
        values.append(plain_measure(pred, gt))
        found = boundary_measure(pred, gt)
        assert found == pytest.approx(values[-1], abs=1e-12)
        # views with strides of their own
        turned = boundary_measure(pred[::-1].T[::2], gt[::-1].T[::2])
        expected = plain_measure(pred[::-1].T[::2], gt[::-1].T[::2])
        assert turned == pytest.approx(expected, abs=1e-12)
    if min(size) > 2:
        assert any(0 < value < 1 for value in values)


def test_boundary_refuses():
    with pytest.raises(ValueError, match='of one size'):
        boundary_measure(EMPTY, EMPTY[1:])


# From the rule: round(linspace(1, n, 5) + 1e-10) - 1 are the frames at which
# the quarters meet, which belong to both.
QUARTERS = {
    1: ([0], [0]),
    2: ([0], [1]),
    3: ([0, 1], [2]),  # 1, 1.5, 2, 2.5, 3
    4: ([0, 1], [2, 3]),
    5: ([0, 1], [3, 4]),
    6: ([0, 1], [4, 5]),  # 1, 2.25, 3.5, 4.75, 6
    7: ([0, 1, 2], [5, 6]),  # 1, 2.5, 4, 5.5, 7
    8: ([0, 1, 2], [5, 6, 7]),
    9: ([0, 1, 2], [6, 7, 8]),
}


@pytest.mark.parametrize('frames', QUARTERS)
def test_decay_by_hand(frames):
    values = [1 - 0.01 * i**2 for i in range(frames)]
    first, last = (
        sum(values[i] for i in quarter) / len(quarter)
        for quarter in QUARTERS[frames]
    )
    found = sequence_statistics(values)
    assert found['decay'] == pytest.approx(first - last, abs=1e-12)
    assert found['mean'] == pytest.approx(sum(values) / frames, abs=1e-12)


def test_decay_of_more_frames_than_a_byte_counts():
    # quarters meet at 0, 250, 500, 750, 1000: means of 125 and 875
    found = sequence_statistics(np.arange(1001) / 1000)
    assert found['decay'] == pytest.approx(-0.75, abs=1e-12)
    assert found['recall'] == 500 / 1001


def test_frames_at_one_half_are_not_recalled():
    values = [0.5, np.nextafter(0.5, 1), np.nextafter(0.5, 0), 1.0]
    assert sequence_statistics(values)['recall'] == 0.5
    assert sequence_statistics([0.5])['recall'] == 0


@pytest.mark.parametrize('values', [[], [[0.5]]])
def test_statistics_refuses(values):
    with pytest.raises(ValueError, match='at least one frame'):
        sequence_statistics(values)
