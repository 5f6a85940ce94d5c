import cv2
import numpy as np
import pytest
from PIL import Image

from mcjepa_mm.utils.image_file import (
    pascal_palette,
    write_image,
    write_label_map,
)

RGB = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)


def test_colours_and_grey(tmp_path):
    write_image(tmp_path / 'new' / 'a.png', RGB)
    assert (np.asarray(Image.open(tmp_path / 'new' / 'a.png')) == RGB).all()
    # a view with strides of its own, as tools make them of BGR
    write_image(str(tmp_path / 'b.PNG'), RGB[..., ::-1])
    assert (cv2.imread(str(tmp_path / 'b.PNG')) == RGB).all()
    write_image(tmp_path / 'c.ppm', RGB)
    assert (np.asarray(Image.open(tmp_path / 'c.ppm')) == RGB).all()
    # a name that is no UTF-8
    write_image(tmp_path / '\udce9.png', RGB)
    (tmp_path / '\udce9.png').unlink()
    write_image(tmp_path / 'd.png', RGB[..., 0])
    grey = Image.open(tmp_path / 'd.png')
    assert grey.mode == 'L' and (np.asarray(grey) == RGB[..., 0]).all()
    assert sorted(x.name for x in tmp_path.iterdir()) == [
        *('b.PNG', 'c.ppm', 'd.png', 'new')
    ]


@pytest.mark.parametrize(
    'name, picture, message',
    [
        ('a', RGB, "writes no pictures that end in ''"),
        ('a.p\udce9g', RGB, 'writes no pictures that end in'),
        ('a.txt', RGB, "writes no pictures that end in '.txt'"),
        ('a.png', RGB / 255.0, r'got \(2, 4, 3\) float64'),
        ('a.png', RGB[:0], r'not empty, got \(0, 4, 3\)'),
        ('a.png', RGB[..., :2], r'\(H, W, 3\) or \(H, W\).*got \(2, 4, 2\)'),
        ('a.png', RGB[0, 0], r'got \(3,\)'),
    ],
)
def test_refuses_before_it_writes(tmp_path, name, picture, message):
    with pytest.raises(ValueError, match=message):
        write_image(tmp_path / 'new' / name, picture)
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match='file'):
        write_image(tmp_path / 'file' / 'a.png', RGB)


def test_a_label_map_has_labels_and_colours(tmp_path):
    labels = np.array([[0, 1, 2], [2, 255, 0]], np.uint8)
    palette = [[9, 8, 7], [0, 255, 0], [1, 2, 3]]
    write_label_map(tmp_path / 'new' / 'a.png', labels, palette)
    image = Image.open(tmp_path / 'new' / 'a.png')
    assert image.mode == 'P' and (np.asarray(image) == labels).all()
    colours = np.asarray(image.convert('RGB'))
    assert colours[0].tolist() == palette
    assert colours[1, 1].tolist() == [0, 0, 0]


def test_refuses_other_labels_and_palettes(tmp_path):
    labels = np.zeros((2, 3), np.uint8)
    with pytest.raises(ValueError, match=r'labels .*int64'):
        write_label_map(tmp_path / 'a.png', labels.astype(int), [[0, 0, 0]])
    with pytest.raises(ValueError, match=r'palette .*\(257, 3\)'):
        write_label_map(tmp_path / 'a.png', labels, np.zeros((257, 3)))
    assert not list(tmp_path.iterdir())


def test_pascal_palette():
    palette = pascal_palette()
    assert palette.shape == (256, 3) and palette.dtype == np.uint8
    # as the benchmark's own files have them
    assert palette[:4].tolist() == [
        *([0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0])
    ]
    assert palette[8].tolist() == [64, 0, 0]
    assert palette[20].tolist() == [0, 64, 128]
    assert palette[255].tolist() == [224, 224, 192]
    assert len(np.unique(palette, axis=0)) == 256
