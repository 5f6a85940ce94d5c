import numpy as np
import pytest

from mcjepa_mm.evaluation.functional import object_scores, region_similarity

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
def test_by_hand(pred, gt, expected):
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
def test_refuses(pred, gt, message):
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
