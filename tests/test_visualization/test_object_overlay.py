import numpy as np
import pytest

from mcjepa_mm.visualization import draw_objects

IMAGE = np.full((480, 640, 3), (40, 60, 80), np.uint8)
OBJECTS = np.zeros((480, 640), np.uint8)
OBJECTS[100:200, 100:200] = 1  # (128, 0, 0)
OBJECTS[100:200, 200:300] = 2  # (0, 128, 0)
OBJECTS[380:, 540:] = 12  # (64, 0, 128)


def test_colours_over_the_picture():
    drawn = draw_objects(IMAGE, OBJECTS, opacity=0.25)
    assert drawn.shape == IMAGE.shape and drawn.dtype == np.uint8
    # 3/4 of the picture and 1/4 of the colour
    assert (drawn[110:190, 110:190] == (30 + 32, 45, 60)).all()
    assert (drawn[110:190, 210:290] == (30, 45 + 32, 60)).all()
    assert (drawn[390:, 550:] == (30 + 16, 45, 60 + 32)).all()
    assert (drawn[:90] == IMAGE[:90]).all()
    assert (IMAGE == (40, 60, 80)).all()


def test_outlines_inside_and_outside():
    drawn = draw_objects(IMAGE, OBJECTS)
    # 2 pixels at 480: white, then the colour, then what is mixed
    column = drawn[150, 96:104].tolist()
    assert column == [
        *[[40, 60, 80]] * 2,
        *[[255, 255, 255]] * 2,
        *[[128, 0, 0]] * 2,
        *[[84, 30, 40]] * 2,
    ]
    # two objects that touch have their own colours only
    between = drawn[150, 197:203].tolist()
    assert between == [
        [84, 30, 40],
        *[[128, 0, 0]] * 2,
        *[[0, 128, 0]] * 2,
        [20, 94, 40],
    ]
    # no line where the picture ends
    assert drawn[-1, 600].tolist() == [52, 30, 104]


def test_no_object_and_one_pixel():
    image, objects = IMAGE[:9, :9], np.zeros((9, 9), np.uint8)
    assert (draw_objects(image, objects) == image).all()
    objects[4, 4] = 1
    drawn = draw_objects(image, objects)
    assert drawn[4, 4].tolist() == [128, 0, 0]
    white = (drawn == 255).all(axis=-1)
    assert white.sum() == 8 and white[3:6, 3:6].sum() == 8


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(objects=OBJECTS[1:]), r'objects.*\(479, 640\)'),
        (dict(objects=OBJECTS.astype(int)), r'objects \(480, 640\) int64'),
        (dict(image=IMAGE / 255), r'image \(480, 640, 3\) float64'),
        (dict(image=IMAGE[..., 0]), r'image \(480, 640\) uint8'),
        (dict(opacity=1.5), '1.5'),
    ],
)
def test_refuses(kwargs, message):
    with pytest.raises(ValueError, match=message):
        draw_objects(**(dict(image=IMAGE, objects=OBJECTS) | kwargs))
