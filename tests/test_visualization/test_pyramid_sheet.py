import numpy as np
import pytest

from mcjepa_mm.visualization.feature_color import features_of, fit_colors
from mcjepa_mm.visualization.pyramid_sheet import draw_pyramid_sheet

IMAGE = np.full((196, 200, 3), (10, 200, 30), np.uint8)
# what the tiles of a sheet begin at: the margin and the frame; then the title
LEFT, TOP, PITCH = 8 + 1, 8 + 24 + 24 + 1, 200 + 2 + 8


def halves(channels, height, width, at):
    """1 in the first channel left of a column, 0 elsewhere."""
    feat = np.zeros((channels, height, width), np.float32)
    feat[0, :, :at] = 1
    return feat


def tile(sheet, column, top=TOP):
    left = LEFT + column * PITCH
    return sheet[top : top + 196, left : left + 200]


def test_every_cell_lies_on_its_pixels():
    # 200 px and stride 32: the last of 7 columns is cut to 8 px
    maps = [halves(4, 49, 50, 20), halves(8, 7, 7, 6)]
    sheet = draw_pyramid_sheet(IMAGE, dict(trained=maps), [4, 32])
    assert (tile(sheet, 0) == IMAGE).all()
    for column, edge in ((1, 80), (2, 192)):
        level = tile(sheet, column)
        assert (level[:, :edge] == (255, 128, 128)).all()
        assert (level[:, edge:] == (0, 128, 128)).all()


def test_colours_that_are_given_are_used():
    maps = [halves(4, 49, 50, 20)]
    colors = fit_colors(
        np.concatenate([features_of(maps[0]), features_of(3 * maps[0])])
    )
    sheet = draw_pyramid_sheet(
        IMAGE, dict(a=maps), [4], colors=dict(a=[colors])
    )
    # a third of the way from 0 to 3
    assert (tile(sheet, 1)[:, :80] == (85, 128, 128)).all()


def test_refuses():
    with pytest.raises(ValueError, match="3 feature maps of 'a'.* 1"):
        draw_pyramid_sheet(IMAGE, dict(a=[halves(2, 1, 1, 1)]), [2, 4, 8])
    with pytest.raises(ValueError, match='row'):
        draw_pyramid_sheet(IMAGE, {}, [2])
