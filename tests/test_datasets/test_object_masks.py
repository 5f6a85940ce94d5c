import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from mcjepa_mm.datasets import BadSampleError
from mcjepa_mm.datasets.object_masks import (
    check_first_mask,
    check_mask_size,
    read_object_mask,
)

LABELS = np.array([[0, 1, 2], [0, 7, 255]], np.uint8)
ONE = np.array([[0, 0, 1], [0, 1, 1]], np.uint8)


@pytest.fixture
def saved(tmp_path):
    """Function that saves a Pillow image and returns its path."""

    def save(image, name='mask.png', **options):
        image.save(tmp_path / name, **options)
        return str(tmp_path / name)

    return save


def read(path):
    mask = read_object_mask(path)
    assert mask.dtype == np.uint8
    return mask.tolist()


@pytest.mark.parametrize('name', ['mask.png', 'mask.tif', 'mask.bmp'])
def test_indices_of_a_palette_are_the_labels(saved, name):
    image = Image.fromarray(LABELS)
    image.putpalette([*range(255, -1, -1)] * 3)  # 0 is white
    assert read(saved(image, name)) == LABELS.tolist()


def test_palette_of_few_bits(saved):
    image = Image.fromarray(ONE)
    image.putpalette([9, 9, 9, 200, 0, 0])
    assert read(saved(image, bits=1)) == ONE.tolist()
    # 0 and 255 are labels like others: the file says what they are
    image = Image.fromarray(ONE * 255)
    image.putpalette([7] * 768)
    assert read(saved(image)) == (ONE * 255).tolist()


@pytest.mark.parametrize(
    'dtype, name',
    [
        (np.uint8, 'mask.png'),
        (np.uint8, 'mask.pgm'),
        (np.uint16, 'mask.png'),
        (np.uint16, 'mask.pgm'),
        (np.int32, 'mask.tif'),
    ],
)
def test_values_of_a_grey_picture_are_the_labels(tmp_path, dtype, name):
    path = str(tmp_path / name)
    for labels, expected in (
        (LABELS, LABELS),
        (ONE, ONE),
        # as DAVIS-2016 writes one object
        (255 * ONE, ONE),
        (np.full((2, 2), 255), np.ones((2, 2))),
        (np.zeros((2, 2)), np.zeros((2, 2))),
        (np.array([[254, 255]]), np.array([[254, 255]])),
    ):
        if name.endswith('tif'):
            Image.fromarray(labels.astype(dtype)).save(path)
        else:
            assert cv2.imwrite(path, labels.astype(dtype))
        assert read(path) == expected.tolist()


def disc(radius, size=(96, 160)):
    y, x = np.ogrid[: size[0], : size[1]]
    return np.float32(np.hypot(y - 50, x - 70) < radius)


@pytest.mark.parametrize('sigma', [0.5, 1, 5, 20])
@pytest.mark.parametrize('highest', [255, 254])
def test_soft_edges_are_no_objects(saved, sigma, highest):
    soft = cv2.GaussianBlur(disc(30), (0, 0), sigma) * highest
    path = saved(Image.fromarray(soft.round().astype(np.uint8)))
    with pytest.raises(BadSampleError, match='mask.png.*127') as error:
        read_object_mask(path)
    assert error.value.filename == path and '\n' not in str(error.value)


def test_edges_of_few_steps_are_soft(saved):
    # drawn at twice the size
    soft = cv2.resize(disc(30) * 255, (80, 48), interpolation=cv2.INTER_AREA)
    assert len(np.unique(soft)) == 5
    path = saved(Image.fromarray(soft.astype(np.uint8)))
    with pytest.raises(BadSampleError, match='3 values'):
        read_object_mask(path)


@pytest.mark.parametrize('name', ['mask.png', 'mask.gif'])
def test_soft_edges_with_a_palette(saved, name):
    soft = cv2.GaussianBlur(disc(30), (0, 0), 3) * 255
    path = saved(Image.fromarray(soft.astype(np.uint8)).convert('P'), name)
    with pytest.raises(BadSampleError, match='soft edges'):
        read_object_mask(path)


def test_depths_that_do_not_keep_numbers(tmp_path):
    labels = np.array([[0, 1, 2, 3]], np.uint8)
    for values, expected in ((labels, None), (labels // 3, [[0, 0, 0, 1]])):
        pgm, png = tmp_path / 'mask.pgm', tmp_path / 'mask.png'
        highest = values.max()
        pgm.write_bytes(b'P5 4 1 %d\n' % highest + values.tobytes())
        # a PNG of 2 bits: a filter byte and the four values in one byte
        packed = int((values.ravel() * (3 // highest)) @ [64, 16, 4, 1])
        parts = (
            (b'IHDR', struct.pack('>IIBBBBB', 4, 1, 2, 0, 0, 0, 0)),
            (b'IDAT', zlib.compress(bytes([0, packed]))),
            (b'IEND', b''),
        )
        png.write_bytes(
            b'\x89PNG\r\n\x1a\n'
            + b''.join(
                struct.pack('>I', len(data))
                + kind
                + data
                + struct.pack('>I', zlib.crc32(kind + data))
                for kind, data in parts
            )
        )
        for path in (pgm, png):
            if expected:
                assert read(str(path)) == expected
                continue
            with pytest.raises(BadSampleError, match='8 bits'):
                read_object_mask(str(path))


def test_many_objects_with_an_undecided_rim_have_no_soft_edges(saved):
    labels = np.zeros((96, 160), np.uint8)
    for number in range(40):
        y, x = divmod(number, 10)
        block = labels[20 * y + 1 : 20 * y + 14, 15 * x + 1 : 15 * x + 13]
        block[:] = 255
        block[1:-1, 1:-1] = 6 * number + 1
    labels[90, 5:9] = 245  # one so small that it has no inside
    assert read(saved(Image.fromarray(labels))) == labels.tolist()


@pytest.mark.parametrize('name', ['mask.png', 'mask.bmp', 'mask.tif'])
def test_one_bit_is_one_object(saved, name):
    image = Image.fromarray(ONE.astype(bool))
    assert image.mode == '1'
    assert read(saved(image, name)) == ONE.tolist()


def test_mask_is_turned_like_its_frame(saved):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    path = saved(Image.fromarray(LABELS), exif=exif)
    assert read(path) == np.rot90(LABELS, -1).tolist()


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'LA', 'CMYK', 'F'])
def test_colour_without_palette(saved, mode):
    image = Image.fromarray(LABELS).convert(mode)
    name = 'mask.tif' if mode in ('CMYK', 'F') else 'mask.png'
    path = saved(image, name)
    with pytest.raises(
        BadSampleError,
        match=rf'{name}.*mode {mode}',
    ) as error:
        read_object_mask(path)
    assert error.value.filename == path


@pytest.mark.parametrize('value', [256, 300, 65535, -1])
def test_more_objects_than_labels(saved, value):
    labels = np.array([[0, 1], [2, value]], np.int32)
    path = saved(Image.fromarray(labels), 'mask.tif')
    with pytest.raises(BadSampleError, match=f'{value}.*254'):
        read_object_mask(path)


def test_two_hundred_and_fifty_four_objects(saved):
    labels = np.arange(256, dtype=np.int32).reshape(2, 128)
    labels = np.kron(labels, np.ones((3, 3), np.int32))
    path = saved(Image.fromarray(labels), 'mask.tif')
    assert read(path) == labels.tolist()


def test_jpeg_is_refused(saved):
    path = saved(Image.fromarray(LABELS), 'mask.jpg')
    with pytest.raises(BadSampleError, match='mask.jpg'):
        read_object_mask(path)


def test_missing_and_damaged_files(tmp_path, write_mask, truncate):
    rng = np.random.default_rng(0)
    good = write_mask(tmp_path / 'cut.png', rng.integers(0, 9, (50, 60)))
    assert read_object_mask(good).shape == (50, 60)
    (tmp_path / 'empty.png').touch()
    (tmp_path / 'text.png').write_text('no picture')
    truncate(good)
    for name in ('none.png', 'empty.png', 'text.png', 'cut.png'):
        path = str(tmp_path / name)
        with pytest.raises(BadSampleError, match=name) as error:
            read_object_mask(path)
        assert error.value.filename == path


def test_first_mask_must_fit_and_have_an_object():
    words = ('a/m.png', 'a/f.jpg')
    check_first_mask(LABELS, *words, (2, 3))
    for check in (check_mask_size, check_first_mask):
        with pytest.raises(
            BadSampleError,
            match='a/m.png.* 2 x 3 .*a/f.jpg.* 3 x 2',
        ):
            check(LABELS, *words, (3, 2))
    for labels, values in (([[0, 0]], '0'), ([[255, 0]], '0, 255')):
        labels = np.array(labels, np.uint8)
        check_mask_size(labels, *words, (1, 2))
        with pytest.raises(
            BadSampleError,
            match=rf'm.png.* {values}.* a/f.jpg',
        ):
            check_first_mask(labels, *words, (1, 2))
