import io

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from mcjepa_mm.datasets.image_integrity import (
    check_png,
    decode_jpeg,
    is_jpeg,
    is_png,
    loaded_image,
)


def load_jpeg(content):
    return loaded_image(*decode_jpeg(content))


@pytest.fixture
def encode(picture):
    """Function of a format: the bytes of a picture, and the picture."""

    def make(kind, mode='RGB', size=(72, 96), **options):
        image = Image.fromarray(picture(3, size)).convert(mode)
        content = io.BytesIO()
        image.save(content, kind, **options)
        return content.getvalue(), image

    return make


@pytest.mark.parametrize('mode', ['RGB', 'L', 'CMYK'])
@pytest.mark.parametrize('size', [(1, 1), (7, 9), (72, 96), (250, 375)])
@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(optimize=True, quality=95),
        dict(quality=5, subsampling=0),
        dict(subsampling=1),
        dict(restart_marker_rows=1),
        dict(progressive=True),
    ],
)
def test_sound_jpeg_is_what_pillow_makes_of_it(encode, mode, size, options):
    content, _ = encode('JPEG', mode, size, **options)
    assert is_jpeg(content) and not is_png(content)
    expected = np.asarray(Image.open(io.BytesIO(content)))
    # as the second picture and the film that telephones append
    for behind in (b'', bytes(5000), b'\xff' * 99, content, b'\xff\xd9'):
        image = load_jpeg(content + behind)
        np.testing.assert_array_equal(np.asarray(image), expected)


@pytest.mark.parametrize('value', [0, 128, 255])
@pytest.mark.parametrize('optimize', [False, True])
def test_plain_picture_is_sound(value, optimize):
    content = io.BytesIO()
    image = Image.new('RGB', (640, 480), (value,) * 3)
    image.save(content, 'JPEG', optimize=optimize)
    assert load_jpeg(content.getvalue()).getpixel((9, 479)) == (value,) * 3


def test_code_of_another_length_than_the_picture_is_damage(encode):
    content, _ = encode('JPEG')
    code, end = content[:-2], content[-2:]
    load_jpeg(code + end)
    for damaged in (code[:-100] + end, code + b'\x55' * 100 + end, code):
        with pytest.raises(ValueError, match='damaged'):
            load_jpeg(damaged)
    with pytest.raises(ValueError, match='segment'):
        load_jpeg(content[:30])


def test_rare_ratio_of_components_is_read(encode):
    content, _ = encode('JPEG', 'CMYK', subsampling=1)
    with pytest.raises(ValueError, match='subsampling'):
        simplejpeg.decode_jpeg(content, 'CMYK')
    np.testing.assert_array_equal(
        np.asarray(load_jpeg(content)),
        np.asarray(Image.open(io.BytesIO(content))),
    )
    with pytest.raises(OSError, match='truncated'):
        load_jpeg(content[: len(content) // 2])


def refused(content):
    try:
        load_jpeg(content)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize(
    'options',
    [dict(), dict(progressive=True), dict(restart_marker_rows=1)],
)
def test_most_overwritten_jpegs_are_found(picture, options):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 30, (240, 320, 3), np.uint8)
    content = io.BytesIO()
    image = Image.fromarray(picture(3, (240, 320)) // 2 + noise)
    image.save(content, 'JPEG', quality=90, **options)
    content = content.getvalue()
    assert not refused(content)
    begin = content.index(b'\xff\xda') + 14
    found = 0
    for place in rng.integers(begin, len(content) - 40, 50):
        damaged = content[:place] + rng.bytes(30) + content[place + 30 :]
        found += refused(damaged)
        assert refused(content[:place])
    assert found >= 30


def test_zeroed_disk_blocks_of_a_jpeg_are_found(picture):
    noise = np.random.default_rng(0).integers(0, 99, (375, 500, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(picture(3, (375, 500)) // 2 + noise).save(content, 'JPEG')
    content = content.getvalue()
    passed = []
    begins = range(1024, len(content) - 512, 512)
    for begin in begins:
        zeroed = content[:begin] + bytes(512) + content[begin + 512 :]
        try:
            load_jpeg(zeroed)
            passed.append(begin)
        except ValueError:
            pass
    assert len(begins) > 50 and len(passed) <= 0.05 * len(begins)


@pytest.mark.parametrize(
    'mode, options, plain',
    [
        ('RGB', {}, True),
        ('L', {}, True),
        ('P', {}, False),
        ('1', {}, False),
        ('LA', dict(optimize=True), False),
        ('I;16', {}, False),
    ],
)
def test_sound_png(encode, mode, options, plain):
    content, _ = encode('PNG', mode, **options)
    assert is_png(content) and not is_jpeg(content)
    assert check_png(content) == plain
    assert check_png(content + b'anything behind its end') == plain


def test_large_plain_png_is_sound():
    # nothing can be packed more densely
    content = io.BytesIO()
    Image.new('RGB', (4000, 3000)).save(content, 'PNG', optimize=True)
    check_png(content.getvalue())


def test_every_flipped_bit_of_a_png_is_found(encode):
    content, _ = encode('PNG', size=(4, 5))
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            if place < 8:
                assert not is_png(bytes(flipped))
                continue
            with pytest.raises(ValueError, match='PNG'):
                check_png(bytes(flipped))


def test_every_cut_of_a_png_is_found(encode):
    content, _ = encode('PNG', size=(4, 5))
    for length in range(8, len(content)):
        with pytest.raises(ValueError, match='PNG'):
            check_png(content[:length])


def test_a_png_without_its_header_is_damaged(encode):
    content, _ = encode('PNG', size=(4, 5))
    with pytest.raises(ValueError, match='header'):
        check_png(content[:8] + content[-12:])  # nothing but its end


def test_other_formats_are_not_looked_at():
    for content in (b'', b'GIF89a', b'\x89PNG'):
        assert not check_png(content)
