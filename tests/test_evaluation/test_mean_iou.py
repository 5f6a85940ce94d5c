import numpy as np
import pytest

from mcjepa_mm.evaluation.functional import class_areas, mean_iou


def test_by_hand():
    gt = np.array([[0, 0, 1, 255], [1, 1, 2, 255]], np.uint8)
    pred = np.array([[0, 1, 1, 0], [1, 0, 2, 3]])
    areas = class_areas(pred, gt, 4)
    np.testing.assert_array_equal(
        areas, [[1, 2, 1, 0], [2, 3, 1, 0], [2, 3, 1, 0]]
    )
    # 1 / 3, 2 / 4 and 1; class 3 occurs where nothing is counted only
    assert mean_iou(areas) == pytest.approx((1 / 3 + 1 / 2 + 1) / 3)
    assert mean_iou(areas, [1, 3]) == 0.5
    assert np.isnan(mean_iou(areas, [3]))
    assert mean_iou(areas + areas) == mean_iou(areas)


def test_refuses_other_sizes_and_labels():
    zeros = np.zeros((2, 3), int)
    with pytest.raises(ValueError, match=r'\(2, 3\) and \(3, 2\); resize'):
        class_areas(zeros, zeros.T, 2)
    with pytest.raises(ValueError, match='0 to 1, the truth has 2 to 2'):
        class_areas(zeros, zeros + 2, 2)
