import numpy as np
import pytest

from mcjepa_mm.visualization.level_bars import draw_level_bars

BLUE, GRAY, RED = (31, 119, 180), (127, 127, 127), (214, 39, 40)
LEVELS = ['level 0', 'level 1']


def area(picture, color):
    return int((np.abs(picture.astype(int) - color).sum(-1) < 12).sum())


def test_bars_are_as_high_as_their_values():
    def draw(values):
        return draw_level_bars({'a': {'trained': values}}, LEVELS, columns=1)

    none, half, full = map(draw, ([None, None], [0.5, None], [0.5, 0.5]))
    assert full.dtype == np.uint8 and full.shape == none.shape
    legend = area(none, BLUE)
    one, two = (area(x, BLUE) - legend for x in (half, full))
    assert one > 1000 and two == pytest.approx(2 * one, rel=0.05)


def test_a_second_encoder_and_a_limit():
    panels = {
        title: {'trained': [0.9, 0.2], 'untrained': [0.3, 0.3]}
        for title in 'abcd'
    }
    plain = draw_level_bars(panels, LEVELS)
    lined = draw_level_bars(panels, LEVELS, limits={'b': 0.5})
    assert area(plain, GRAY) > 1000 and area(plain, RED) == 0
    assert area(lined, RED) > 50


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match='panel'):
        draw_level_bars({}, LEVELS)
    with pytest.raises(ValueError, match="2 values of 'trained' in 'a'"):
        draw_level_bars({'a': {'trained': [0.1]}}, LEVELS)
