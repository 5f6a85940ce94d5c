import numpy as np
import pytest

from mcjepa_mm.visualization.run_curves import draw_run_curves

BLUE, ORANGE = (31, 119, 180), (255, 127, 14)


def area(picture, color):
    return int((np.abs(picture.astype(int) - color).sum(-1) < 12).sum())


def test_a_line_for_each_run_in_its_color():
    one, two = {0: 0.0, 10: 1.0}, {0: 1.0, 10: 1.0}
    both = draw_run_curves({'loss': {'one': one, 'two': two}})
    alone = draw_run_curves({'loss': {'one': one}, 'EPE': {'two': two}})
    assert both.dtype == np.uint8
    assert alone.shape[1] == pytest.approx(2 * both.shape[1], abs=1)
    for picture in (both, alone):
        assert area(picture, BLUE) > 100 and area(picture, ORANGE) > 100
    right = alone[:, alone.shape[1] // 2 + 100 :]
    assert area(right, BLUE) == 0 < area(right, ORANGE)
    with pytest.raises(ValueError, match='panel'):
        draw_run_curves({})
