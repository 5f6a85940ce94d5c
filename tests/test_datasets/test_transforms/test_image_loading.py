import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from mcjepa_mm.datasets import BadSampleError
from mcjepa_mm.datasets.transforms import LoadImageStrict, read_image
from mcjepa_mm.datasets.transforms import image_loading as module


def test_loads_bgr_with_mmcvs_keys(tmp_path, write_image, picture):
    path = write_image(tmp_path / 'a.png', 3)
    results = LoadImageStrict()(dict(img_path=str(path)))
    np.testing.assert_array_equal(results['img'][..., ::-1], picture(3))
    assert results['img'].flags.c_contiguous
    assert results['img_shape'] == results['ori_shape'] == (72, 96)
    rgb = read_image(str(path), 'rgb')
    np.testing.assert_array_equal(rgb, picture(3))


@pytest.mark.parametrize('mode', ['L', 'LA', 'P', 'RGBA', '1', 'CMYK'])
def test_every_mode_becomes_three_channels(tmp_path, picture, mode):
    suffix = {'P': 'gif', 'CMYK': 'jpg'}.get(mode, 'png')
    path = str(tmp_path / f'a.{suffix}')
    Image.fromarray(picture(9)).convert(mode).save(path)
    image = read_image(path)
    assert image.shape == (72, 96, 3) and image.dtype == np.uint8
    assert 60 < image.mean() < 190


@pytest.mark.parametrize('suffix', ['png', 'tif', 'pgm'])
def test_grey_of_16_bits_is_as_bright_as_that_of_8(tmp_path, suffix):
    ramp = np.arange(256, dtype=np.uint8).reshape(8, 32)
    fine = ramp.astype(np.uint16) * 256 + np.arange(0, 256, 8, np.uint16)
    path = str(tmp_path / f'a.{suffix}')
    for values in (fine, ramp):
        assert cv2.imwrite(path, values)
        image = read_image(path)
        assert image.dtype == np.uint8 and image.flags.c_contiguous
        np.testing.assert_array_equal(image, np.dstack([ramp] * 3))


def test_grey_of_16_bits_in_the_other_byte_order(tmp_path):
    values = np.arange(0, 65536, 1024, dtype='>u2').reshape(8, 8)
    path = str(tmp_path / 'a.tif')
    Image.frombytes('I;16B', (8, 8), values.tobytes()).save(path)
    with Image.open(path) as image:
        assert image.mode == 'I;16B'
    np.testing.assert_array_equal(read_image(path)[..., 1], values // 256)


def test_grey_of_16_bits_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    values = np.arange(0, 65536, 4096, dtype=np.uint16).reshape(2, 8)
    path = str(tmp_path / 'a.png')
    Image.fromarray(values).save(path, exif=exif)
    upright = np.rot90(values // 256, k=-1)
    np.testing.assert_array_equal(read_image(path)[..., 0], upright)


@pytest.mark.parametrize('dtype, mode', [(np.int32, 'I'), (np.float32, 'F')])
def test_grey_of_32_bits_is_refused(tmp_path, dtype, mode):
    path = str(tmp_path / 'a.tif')
    Image.fromarray(np.full((8, 8), 0.5, dtype)).save(path)
    with pytest.raises(BadSampleError, match=rf'a.tif .*32 bits.*{mode}'):
        read_image(path)


def test_twelve_bits_in_sixteen_are_refused_and_black_is_black(tmp_path):
    path = str(tmp_path / 'a.png')
    assert cv2.imwrite(path, np.full((8, 8), 4095, np.uint16))
    with pytest.raises(BadSampleError, match='4095'):
        read_image(path)
    assert cv2.imwrite(path, np.zeros((8, 8), np.uint16))
    assert not read_image(path).any()


def _turned(text=None):
    if text is None:
        exif = Image.Exif()
        exif[0x0112] = 6
        return dict(exif=exif)
    info = PngImagePlugin.PngInfo()
    info.add_itxt('XML:com.adobe.xmp', text)
    return dict(pnginfo=info)


@pytest.mark.parametrize('strict', [True, False])
@pytest.mark.parametrize(
    'mode, options',
    [
        ('RGB', {}),
        ('L', {}),
        ('RGB', dict(dpi=(72, 72))),
        ('RGB', dict(transparency=(0, 0, 0))),
        ('L', dict(transparency=0)),
        ('RGB', _turned()),
        ('L', _turned('<tiff:Orientation>6</tiff:Orientation>')),
    ],
)
def test_whoever_decodes_a_png_it_is_as_pillow_has_it(
    tmp_path, picture, monkeypatch, mode, options, strict
):
    strict = strict and module._OPENCV_IS_STRICT
    monkeypatch.setattr(module, '_OPENCV_IS_STRICT', strict)
    path = str(tmp_path / 'a.png')
    Image.fromarray(picture(3)).convert(mode).save(path, **options)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    np.testing.assert_array_equal(read_image(path, 'rgb'), expected)
    np.testing.assert_array_equal(read_image(path), expected[..., ::-1])


def _write_png(path, width, height, data):
    parts = [
        (b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)),
        (b'IDAT', data),
        (b'IEND', b''),
    ]
    content = b'\x89PNG\r\n\x1a\n'
    for kind, data in parts:
        content += struct.pack('>I', len(data)) + kind + data
        content += struct.pack('>I', zlib.crc32(kind + data))
    path.write_bytes(content)


@pytest.mark.skipif(
    not module._OPENCV_IS_STRICT, reason='Pillow shows black for what is not'
)
@pytest.mark.parametrize('rows', [0, 1, 9])
def test_a_png_with_too_few_rows_is_an_error(tmp_path, rows):
    data = zlib.compress(bytes(rows * (1 + 3 * 16)))
    _write_png(tmp_path / 'a.png', 16, 10, data)
    with pytest.raises(BadSampleError, match='a.png .*damaged'):
        read_image(str(tmp_path / 'a.png'))


def test_a_png_that_would_fill_the_memory_is_refused(tmp_path):
    _write_png(tmp_path / 'a.png', 30000, 30000, bytes(3_000_000))
    with pytest.raises(BadSampleError, match='a.png .*limit'):
        read_image(str(tmp_path / 'a.png'))


def test_a_very_long_png_is_read(tmp_path):
    data = zlib.compress(b'\0' + b'\7' * 3_000_003)  # OpenCV refuses this
    _write_png(tmp_path / 'a.png', 1_000_001, 1, data)
    image = read_image(str(tmp_path / 'a.png'))
    assert image.shape == (1, 1_000_001, 3) and (image == 7).all()


def test_exif_rotation_is_applied(tmp_path, picture):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate clockwise to see
    path = str(tmp_path / 'a.jpg')
    Image.fromarray(picture(3)).save(path, exif=exif, quality=95)
    image = read_image(path, 'rgb')
    assert image.shape == (96, 72, 3)
    upright = np.rot90(picture(3), k=-1).astype(int)
    assert np.abs(image - upright).mean() < 3


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'gif', 'webp', 'bmp'])
@pytest.mark.parametrize('share', [0.5, 0.05])
def test_truncated_image_is_an_error(
    tmp_path, picture, truncate, suffix, share
):
    path = tmp_path / f'a.{suffix}'
    Image.fromarray(picture(3)).save(path)
    truncate(path, share)
    with pytest.raises(BadSampleError, match=f'a.{suffix}') as error:
        read_image(str(path))
    assert error.value.filename == str(path)


def test_empty_and_missing_files_are_errors(tmp_path):
    (tmp_path / 'a.png').touch()
    with pytest.raises(BadSampleError, match='a.png .*empty'):
        read_image(str(tmp_path / 'a.png'))
    with pytest.raises(BadSampleError, match='b.png'):
        read_image(str(tmp_path / 'b.png'))


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / 'a.png').write_text('no image')
    with pytest.raises(BadSampleError, match="image file '.*a.png'"):
        read_image(str(tmp_path / 'a.png'))


@pytest.mark.parametrize('name', ['a.png', 'a.tif', 'a.gif', 'a.webp'])
def test_several_pictures_in_a_file_are_refused(tmp_path, picture, name):
    first, *others = (Image.fromarray(picture(i)) for i in range(3))
    first.save(tmp_path / name, save_all=True, append_images=others)
    with pytest.raises(BadSampleError, match=f'{name} .*3 pictures'):
        read_image(str(tmp_path / name))


def test_previews_in_a_tiff_are_no_pictures(tmp_path, picture):
    image = Image.fromarray(picture(2))
    preview = image.resize((48, 36))
    image.save(tmp_path / 'a.tif', save_all=True, append_images=[preview])
    np.testing.assert_array_equal(
        read_image(str(tmp_path / 'a.tif'), 'rgb'), picture(2)
    )


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'a.png')
    with pytest.raises(BadSampleError, match='a.png'):
        read_image(str(tmp_path / 'a.png'))
