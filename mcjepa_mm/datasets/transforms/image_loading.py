"""Strict image loading that refuses damaged files."""

import io

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from PIL import ExifTags, Image, ImageOps

from mcjepa_mm.datasets.bad_samples import BadSampleError, check_regular
from mcjepa_mm.datasets.image_integrity import (
    check_png,
    decode_jpeg,
    is_jpeg,
    is_png,
    loaded_image,
)
from mcjepa_mm.datasets.packed_folder import read_packed
from mcjepa_mm.registry import TRANSFORMS

# before that version OpenCV fills what is missing with grey
_OPENCV_IS_STRICT = int(cv2.__version__.partition('.')[0]) >= 5


def read_image(path: str, channel_order: str = 'bgr') -> np.ndarray:
    """Read a colour image, packed or not, and apply its EXIF orientation.

    Grey, palette and transparent images become three channels, and 16 bits of
    grey become their upper 8. Pillow decodes, and where they give the same
    simplejpeg and OpenCV, which are faster, with the checks of
    :mod:`~mcjepa_mm.datasets.image_integrity`.

    Returns:
        np.ndarray: (H, W, 3) uint8, contiguous.

    Raises:
        BadSampleError: If the file is missing, empty, truncated, damaged or
            no image, or an animation or a stack of pictures, or if it is grey
            of 32 bits, or of 16 of which it uses at most 12: how bright such
            values are is not known.
    """
    check_regular(path)
    try:
        image = _decode(_content(path), channel_order)
    except Exception as error:
        # Pillow's decoders raise whatever a damaged file makes of them:
        # OSError, SyntaxError, ValueError, struct.error, EOFError ...
        raise BadSampleError(
            f'{path} cannot be read as an image: {error}', path
        ) from error
    return np.ascontiguousarray(image)


def _content(path: str) -> bytes:
    content = read_packed(path)
    if content is not None:
        if not content:
            raise ValueError('the file is empty')
        return content
    with open(path, 'rb', buffering=0) as file:
        head = file.read(8)
        if not head:
            raise ValueError('the file is empty')
        if not is_jpeg(head) and not is_png(head):
            with Image.open(path):
                pass  # a film is not read whole to find that it is no image
        file.seek(0)
        return file.readall()


def _decode(content: bytes, channel_order: str) -> np.ndarray:
    if is_jpeg(content):
        image, pixels = decode_jpeg(content)
        upright = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        # most are, and pass through Pillow for nothing
        if pixels is None or not upright or pixels.shape[2] != 3:
            image = ImageOps.exif_transpose(loaded_image(image, pixels))
            pixels = np.asarray(image.convert('RGB'))
        if channel_order == 'rgb':
            return pixels
        return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    if check_png(content) and _OPENCV_IS_STRICT:
        return _decode_plain_png(content, channel_order)
    with Image.open(io.BytesIO(content)) as image:
        _refuse_several(image)
        if image.mode[:1] in ('I', 'F'):
            return cv2.cvtColor(_eight_bits(image), cv2.COLOR_GRAY2BGR)
    return mmcv.imfrombytes(
        content, channel_order=channel_order, backend='pillow'
    )


def _decode_plain_png(content: bytes, channel_order: str) -> np.ndarray:
    kind = dict(bgr=cv2.IMREAD_COLOR_BGR, rgb=cv2.IMREAD_COLOR_RGB)
    image = cv2.imdecode(np.frombuffer(content, np.uint8), kind[channel_order])
    if image is None:
        raise ValueError(
            'the PNG is damaged: its data are not those of a picture of the '
            'size that its header says; fetch it anew'
        )
    return image


def _refuse_several(image: Image.Image) -> None:
    if not getattr(image, 'is_animated', False):
        return
    size = image.size
    image.seek(1)
    # smaller pages of a TIFF are previews
    if image.size == size:
        raise ValueError(
            f'it holds {image.n_frames} pictures, an animation or a stack; '
            'expected one: write each to a file of its own'
        )
    image.seek(0)


def _eight_bits(image: Image.Image) -> np.ndarray:
    """The upper 8 of 16 bits of grey, (H, W) uint8.

    Pillow and mmcv clip what is above 255 and so show nothing but white.
    """
    # Pillow opens the 16 bits of a PGM, and before version 11 of a PNG, as 32
    wide = image.mode == 'I' and image.format in ('PPM', 'PNG')
    if not image.mode.startswith('I;16') and not wide:
        raise ValueError(
            f'it is grey with 32 bits (mode {image.mode}), and how bright '
            'its values are is not known; expected 8 or 16 bits: convert it'
        )
    values = np.asarray(ImageOps.exif_transpose(image))
    highest = values.max()
    if 0 < highest < 4096:
        raise ValueError(
            f'it is grey with 16 bits, but its highest value is {highest}: '
            'it would be black, as the 10 or 12 bits of a sensor are; '
            'expected values up to 65535: multiply them, or convert it to 8 '
            'bits'
        )
    return (values >> 8).astype(np.uint8)


@TRANSFORMS.register_module()
class LoadImageStrict(BaseTransform):
    """Load an image like mmcv's LoadImageFromFile; refuse damaged files.

    Required keys: ``img_path``. Added keys: ``img`` ((H, W, 3) uint8, BGR),
    ``img_shape`` and ``ori_shape`` ((H, W)).
    """

    def transform(self, results: dict) -> dict:
        results['img'] = read_image(results['img_path'])
        results['img_shape'] = results['img'].shape[:2]
        results['ori_shape'] = results['img'].shape[:2]
        return results
