import numpy as np
import pytest

from mcjepa_mm.visualization.contact_sheet import (
    add_footer,
    contact_sheet,
    draw_text,
)

RED = np.full((60, 80, 3), (255, 0, 0), np.uint8)
BLUE = np.full((60, 80, 3), (0, 0, 255), np.uint8)


def columns_of(sheet, colour):
    return np.flatnonzero((sheet == colour).all(axis=-1).any(axis=0))


def test_tiles_are_scaled_up_and_in_order():
    sheet = contact_sheet(
        ['a', 'b'], [[RED, BLUE], [RED, None]], [['x', 'y'], ['x', 'y']]
    )
    red, blue = columns_of(sheet, RED[0, 0]), columns_of(sheet, BLUE[0, 0])
    # 80 px become 3 * 80, the least whole multiple of at least 192
    assert len(red) == len(blue) == 240
    assert red.max() < blue.min()
    assert (sheet == RED[0, 0]).all(axis=-1).sum() == 2 * 240 * 180
    assert (sheet == BLUE[0, 0]).all(axis=-1).sum() == 240 * 180


def test_large_and_odd_tiles_are_scaled_into_the_box():
    large = np.full((400, 800, 3), (255, 0, 0), np.uint8)
    tall = np.full((900, 300, 3), (0, 0, 255), np.uint8)
    sheet = contact_sheet(['a', 'b'], [[large, tall]], [['', '']])
    assert (sheet == RED[0, 0]).all(axis=-1).sum() == 384 * 192
    assert (sheet == BLUE[0, 0]).all(axis=-1).sum() == 64 * 192


def test_text_is_ink_within_its_width():
    assert (draw_text('frame t', 192) < 100).any()
    assert (draw_text('', 192) == 255).all()
    assert draw_text('long ' * 50, 192).shape[1] == 192


def test_text_that_is_no_utf8():
    np.testing.assert_array_equal(
        draw_text('caf\udce9 \xe9', 100), draw_text('caf? ?', 100)
    )


def test_footer():
    sheet = contact_sheet(['a'], [[RED]], [['']])
    whole = add_footer(sheet, BLUE, ['one', 'two'])
    assert (whole[: len(sheet)] == sheet).all()
    assert (whole == BLUE[0, 0]).all(axis=-1).sum() == 60 * 80


def test_refuses():
    with pytest.raises(ValueError, match='row'):
        contact_sheet(['a'], [], [])
    with pytest.raises(ValueError, match='1 entries'):
        contact_sheet(['a'], [[RED, BLUE]], [['']])
    with pytest.raises(ValueError, match='captions'):
        contact_sheet(['a'], [[RED]], [])


def test_row_titles_are_over_their_rows():
    rows, captions = [[RED], [BLUE]], [[''], ['']]
    plain = contact_sheet(['a'], rows, captions)
    sheet = contact_sheet(['a'], rows, captions, row_titles=['one', ''])
    # two lines of 24 pixels; the second one is empty
    assert len(sheet) == len(plain) + 48
    top = (sheet == RED[0, 0]).all(axis=-1).any(axis=1).argmax()
    assert (sheet[top - 25 : top - 1, :100] < 100).any()
    top = (sheet == BLUE[0, 0]).all(axis=-1).any(axis=1).argmax()
    assert (sheet[top - 25 : top - 1, :100] == 255).all()
    with pytest.raises(ValueError, match='2 row titles.* 1'):
        contact_sheet(['a'], rows, captions, row_titles=['one'])


def test_footer_without_a_picture():
    sheet = contact_sheet(['a'], [[RED]], [['']])
    whole = add_footer(sheet, None, ['one', 'two'])
    # two lines of 24 pixels and the margin
    assert whole.shape == (len(sheet) + 2 * 24 + 8, *sheet.shape[1:])
    assert (whole[len(sheet) :] < 100).any()
