import numpy as np
import pytest

from mcjepa_mm.visualization.segmentation_overlay import (
    class_legend,
    draw_segmentation,
)

CLASSES, PALETTE = (
    ['sky', 'sea', 'boat'],
    [(200, 0, 0), (0, 0, 100), (0, 80, 0)],
)
IMAGE = np.full((200, 300, 3), (40, 60, 80), np.uint8)
LABELS = np.zeros((200, 300), np.int64)
LABELS[150:] = 1


def test_every_pixel_has_its_colour_over_the_image():
    drawn = draw_segmentation(IMAGE, LABELS, CLASSES, PALETTE, opacity=0.25)
    # twice as large, to have 384 pixels at least, and the legend
    assert drawn.shape == (400, 600 + 208, 3)
    # 3/4 of the image and 1/4 of the colour
    assert (drawn[:300, :600] == (30 + 50, 45, 60)).all()
    assert (drawn[300:, :600] == (30, 45, 60 + 25)).all()


def test_names_are_in_the_picture_where_wanted():
    plain, named = (
        draw_segmentation(IMAGE, LABELS, CLASSES, PALETTE, names=names)
        for names in (False, True)
    )
    changed = (plain != named).any(axis=-1)
    assert changed[:300, :600].any() and changed[300:, :600].any()
    assert not changed[:, 600:].any()


def test_pixels_without_a_name_are_dark():
    labels = np.full((400, 400), 255)
    image = np.full((400, 400, 3), 100, np.uint8)
    drawn = draw_segmentation(image, labels, CLASSES, PALETTE)
    assert (drawn[:, :400] == 50).all() and (drawn[:, 400:] == 255).all()


def test_the_legend_is_sorted_by_share():
    labels = np.repeat([2, 0, 2, 255], 25).reshape(10, 10)
    legend = class_legend(labels, CLASSES, PALETTE, 100)
    assert legend.shape == (100, 208, 3)
    assert (legend[4:20, 8:24] == PALETTE[2]).all()
    assert (legend[28:44, 8:24] == PALETTE[0]).all()
    assert (legend[:48, 32:] < 100).any() and (legend[48:] == 255).all()


def test_a_legend_that_is_too_long_says_so():
    labels = np.arange(10).reshape(2, 5)
    palette = np.full((10, 3), (0, 200, 0))
    names = [str(i) for i in range(10)]
    legend = class_legend(labels, names, palette, 80)
    swatches = (legend[:, 16] == (0, 200, 0)).all(axis=-1)
    assert swatches.sum() == 2 * 16
    assert (legend[48:72, 32:] < 100).any()  # and 8 more


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(labels=LABELS[:9]), r'\(9, 300\)'),
        (dict(palette=PALETTE[:2]), '3 classes.* 2 '),
        (dict(classes=[], palette=[]), '0 classes'),
        (dict(opacity=1.5), '1.5'),
    ],
)
def test_refuses(kwargs, message):
    given = dict(image=IMAGE, labels=LABELS, classes=CLASSES, palette=PALETTE)
    with pytest.raises(ValueError, match=message):
        draw_segmentation(**(given | kwargs))
