import mmcv
import numpy as np
import pytest

from mcjepa_mm.visualization import flow_legend, flow_to_rgb


def one(x, y, **kwargs):
    flow = np.array([x, y], dtype=np.float32).reshape(2, 1, 1)
    return flow_to_rgb(flow, **kwargs)[0, 0].tolist()


# Worked out by hand from the published wheel of 15 red-yellow, 6
# yellow-green, 4 green-cyan, 11 cyan-blue, 13 blue-magenta and 6 magenta-red
# steps: a vector's place is (atan2(-y, -x) / pi + 1) / 2 * 54.
@pytest.mark.parametrize(
    'vector, colour',
    [
        ((1, 0), (255, 0, 0)),  # place 0: red
        ((0, 1), (255, 229.5, 0)),  # place 13.5: 255 * 13.5 / 15
        ((-1, 0), (0, 255 - 255 * 2 / 11, 255)),  # place 27 = 25 + 2
        ((0, -1), (255 * 4.5 / 13, 0, 255)),  # place 40.5 = 36 + 4.5
        ((0.5, 0), (255, 127.5, 127.5)),  # half as long, half as strong
        ((0, 0), (255, 255, 255)),
        ((-0.0, -0.0), (255, 255, 255)),
        ((3, -0.0), (255, 0, 0)),  # too long: its direction's full colour
        ((np.nan, 0), (0, 0, 0)),
        ((0, 1e10), (0, 0, 0)),
    ],
)
def test_middlebury_colours(vector, colour):
    assert np.abs(np.subtract(one(*vector, max_flow=1), colour)).max() <= 0.51


def test_scale_is_the_longest_known_vector():
    flow = np.zeros((2, 1, 3))
    flow[0, 0] = [2, 4, np.inf]
    rgb = flow_to_rgb(flow)
    assert rgb[0].tolist() == [[255, 128, 128], [255, 0, 0], [0, 0, 0]]
    assert (flow_to_rgb(np.zeros((2, 3, 4))) == 255).all()


def test_equals_mmcv_within_range():
    flow = np.random.default_rng(0).normal(size=(2, 20, 30))
    flow[:, 0, 0] = 0, 9  # a longest vector whose length is exact
    theirs = 255 * mmcv.flow2rgb(np.moveaxis(flow, 0, -1).copy())
    assert np.abs(flow_to_rgb(flow) - theirs).max() <= 0.51


def test_refuses():
    with pytest.raises(ValueError, match=r'\(4, 5, 2\)'):
        flow_to_rgb(np.zeros((4, 5, 2)))
    with pytest.raises(ValueError, match='max_flow'):
        flow_to_rgb(np.zeros((2, 4, 5)), max_flow=0)


def test_legend():
    legend = flow_legend(101)
    assert legend.shape == (101, 101, 3)
    assert (legend[0, 0] == 255).all() and (legend[50, 50] == 255).all()
    # the rim has the colours of flow in its direction
    for (row, column), vector in (
        ((50, 100), (1, 0)),
        ((100, 50), (0, 1)),
        ((50, 0), (-1, 0)),
        ((0, 50), (0, -1)),
    ):
        assert legend[row, column].tolist() == one(*vector, max_flow=1)
    labelled = flow_legend(101, 6.2)
    assert labelled.shape[0] > 101
    assert (labelled[101:] < 100).any()  # ink
