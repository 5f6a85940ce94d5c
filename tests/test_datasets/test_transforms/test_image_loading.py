import numpy as np
import pytest
from PIL import Image

from mcjepa_mm.datasets import BadSampleError
from mcjepa_mm.datasets.transforms import LoadImageStrict, read_image


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
    with pytest.raises(BadSampleError, match=rf'a.{suffix} cannot') as error:
        read_image(str(path))
    assert error.value.filename == str(path)


def test_empty_and_missing_files_are_errors(tmp_path):
    (tmp_path / 'a.png').touch()
    with pytest.raises(BadSampleError, match='a.png .*the file is empty'):
        read_image(str(tmp_path / 'a.png'))
    with pytest.raises(BadSampleError, match='b.png .*No such file'):
        read_image(str(tmp_path / 'b.png'))
