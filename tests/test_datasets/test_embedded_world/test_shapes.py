import numpy as np
import pytest

from mcjepa_mm.datasets.embedded_world import CLASSES, shapes

OUTLINES = [outline for _, outline, _ in CLASSES] + [shapes.blob]


@pytest.mark.parametrize('outline', OUTLINES, ids=lambda f: f.__name__)
def test_outline_fits_the_unit_disc_and_is_near_a_distance(outline):
    axis = np.linspace(-1.5, 1.5, 601)
    x, y = np.meshgrid(axis, axis)
    distance = outline(x, y)
    inside = distance <= 0
    # Renderer and ground truth look for an object in its disc only.
    assert np.hypot(x, y)[inside].max() <= 1 + 1e-6
    assert inside.mean() > 0.04
    # One pixel of an edge is one pixel wide if the slope is about 1.
    slope_y, slope_x = np.gradient(distance, axis[1] - axis[0])
    slope = np.hypot(slope_x, slope_y)[np.abs(distance) < 0.02]
    assert 0.6 < np.median(slope) < 1.3
