"""Write image files atomically."""

import io
import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from .atomic_write import atomic_write


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Write an image, and create its folder.

    Not by ``cv2.imwrite`` or ``mmcv.imwrite``: they say neither that a disk
    is full nor that a path is wrong, and leave half a file.

    Args:
        path (str | PathLike): File; the suffix tells the format.
        image (np.ndarray): (H, W, 3) uint8, RGB, or (H, W), grey.

    Raises:
        OSError: If it cannot be written.
        ValueError: If the array is no such picture, or OpenCV does not know
            the suffix or cannot encode this picture with it.
    """
    path = Path(path)
    if (
        image.dtype != np.uint8
        or image.size == 0
        or image.shape[2:] not in ((), (3,))
        or image.ndim < 2
    ):
        raise ValueError(
            'a picture must be (H, W, 3) or (H, W) uint8, not empty, got '
            f'{image.shape} {image.dtype}'
        )
    # not the name: OpenCV crashes where it is no UTF-8
    if not path.suffix.isascii() or not cv2.haveImageWriter(path.suffix):
        raise ValueError(
            f'{path}: OpenCV writes no pictures that end in '
            f'{path.suffix!r}; name a .png or .jpg'
        )
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    # OpenCV's own level makes files three times as large
    png = path.suffix.lower() == '.png'
    options = [cv2.IMWRITE_PNG_COMPRESSION, 6] if png else []
    done, content = cv2.imencode(path.suffix, image, options)
    if not done:
        raise ValueError(
            f'{path}: OpenCV cannot encode a picture of {image.shape}'
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, content.tobytes())


def write_label_map(
    path: str | os.PathLike, labels: np.ndarray, palette: np.ndarray
) -> None:
    """Write labels as a PNG with a palette, as Pascal VOC does.

    Its pixels are the labels; viewers show their colours.

    Args:
        path (str | PathLike): File; its folder is made.
        labels (np.ndarray): (H, W) uint8.
        palette (np.ndarray): (up to 256, 3) uint8, RGB; a label without
            a colour is black.

    Raises:
        OSError: If it cannot be written.
        ValueError: If labels or palette are not of that kind.
    """
    path = Path(path)
    palette = np.asarray(palette)
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise ValueError(
            f'labels must be (H, W) uint8, got {labels.shape} {labels.dtype}'
        )
    if palette.shape[1:] != (3,) or len(palette) > 256:
        raise ValueError(
            f'a palette must be (up to 256, 3), got {palette.shape}'
        )
    # all 256: with fewer Pillow cuts the labels to as many bits
    colors = np.zeros((256, 3), np.uint8)
    colors[: len(palette)] = palette
    image = Image.fromarray(labels)
    image.putpalette(colors.tobytes())
    content = io.BytesIO()
    image.save(content, 'PNG')
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, content.getvalue())


def pascal_palette() -> np.ndarray:
    """Pascal VOC's palette, which DAVIS uses too.

    The lowest three bits of a label are the highest ones of red, green and
    blue, the next three the next lower ones.

    Returns:
        np.ndarray: (256, 3) uint8, RGB.
    """
    labels = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        palette[:, bit % 3] |= ((labels >> bit & 1) << 7 - bit // 3).astype(
            np.uint8
        )
    return palette
