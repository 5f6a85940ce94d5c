"""Images from files, with an error for those that are damaged."""

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image, ImageOps

from mcjepa_mm.datasets.bad_samples import BadSampleError
from mcjepa_mm.datasets.whole_pictures import check_png, is_jpeg, load_jpeg
from mcjepa_mm.registry import TRANSFORMS


def read_image(path: str, channel_order: str = 'bgr') -> np.ndarray:
    """Read a colour image, upright as its EXIF tag says.

    Grey, palette and transparent images become three channels. Pillow
    decodes, after and with the checks of
    :mod:`~mcjepa_mm.datasets.whole_pictures`.

    Args:
        path (str): Image file of any format that Pillow knows; of an
            animation the first frame.
        channel_order (str): 'bgr' or 'rgb'.

    Returns:
        np.ndarray: (H, W, 3) uint8, contiguous.

    Raises:
        BadSampleError: If the file is missing, empty, truncated, damaged or
            no image.
    """
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
    with open(path, 'rb') as file:
        if not file.peek(1):
            raise ValueError('the file is empty')
        with Image.open(file):
            pass  # a film is not read whole to find that it is no image
        file.seek(0)
        return file.read()


def _decode(content: bytes, channel_order: str) -> np.ndarray:
    if is_jpeg(content):
        image = ImageOps.exif_transpose(load_jpeg(content)).convert('RGB')
        image = np.asarray(image)
        if channel_order == 'rgb':
            return image
        return cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    check_png(content)
    return mmcv.imfrombytes(
        content, channel_order=channel_order, backend='pillow'
    )


@TRANSFORMS.register_module()
class LoadImageStrict(BaseTransform):
    """Load an image as mmcv's LoadImageFromFile does, refusing damaged files.

    Required keys: ``img_path``. Added keys: ``img`` ((H, W, 3) uint8, BGR),
    ``img_shape`` and ``ori_shape`` ((H, W)).
    """

    def transform(self, results: dict) -> dict:
        results['img'] = read_image(results['img_path'])
        results['img_shape'] = results['img'].shape[:2]
        results['ori_shape'] = results['img'].shape[:2]
        return results
