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


def test_layout():
    maps = [halves(4, 49, 50, 20), halves(8, 7, 7, 6)]
    one = draw_pyramid_sheet(IMAGE, dict(a=maps), [4, 32])
    # margins; titles, row title, tiles with frames, captions; one note
    assert one.shape == (16 + 24 + 24 + 198 + 24 + 32, 8 + 3 * PITCH, 3)
    two = draw_pyramid_sheet(
        IMAGE, dict(a=maps, b=maps[::-1]), [4, 4], heading='h', notes=['n']
    )
    more = 24 + (24 + 198 + 24) + 24  # heading, row, note
    assert two.shape == (one.shape[0] + more, *one.shape[1:])
    first, second = TOP + 24, TOP + 24 + 246
    assert (tile(two, 1, first) == tile(two, 2, second)).all()


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


def test_captions_are_within_their_tiles():
    maps = [np.random.default_rng(0).normal(size=(160, 4, 4))]
    small = IMAGE[:128, :128]  # drawn 256 px wide
    sheet = draw_pyramid_sheet(small, dict(a=maps), [32])
    line = sheet[TOP + 257 : TOP + 257 + 24]
    ink = np.flatnonzero((line < 100).all(axis=(2)).any(axis=0))
    caption = ink[ink >= LEFT + 258]
    assert caption.size and caption.max() < LEFT + 266 + 256


def test_refuses():
    with pytest.raises(ValueError, match="3 feature maps of 'a'.* 1"):
        draw_pyramid_sheet(IMAGE, dict(a=[halves(2, 1, 1, 1)]), [2, 4, 8])
    with pytest.raises(ValueError, match='row'):
        draw_pyramid_sheet(IMAGE, {}, [2])
