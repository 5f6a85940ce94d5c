"""Read and check object masks."""

import io
import os

import numpy as np
from PIL import Image, ImageOps

from mcjepa_mm.datasets.bad_samples import (
    BadSampleError,
    check_regular,
    check_size,
)
from mcjepa_mm.datasets.image_integrity import check_png

UNDECIDED = 255
"""Label of pixels that belong to no object and not to the background."""

_MANY = 8
"""In-between values that a mask may have without one pixel in its inside."""

_GREY = ('L', 'I', 'I;16', 'I;16B', 'I;16L', 'I;16N')


def read_object_mask(path: str | os.PathLike) -> np.ndarray:
    """Read the object numbers of a mask file.

    What the file is decides what its values mean:

    - a palette (DAVIS-2017): the indices are the object numbers;
    - grey, of 8, 16 or 32 bits: the values are the object numbers, but where
      there are no values beside 0 and 255 it is one object, as DAVIS-2016
      writes it;
    - grey of other depths: one object, if it is black and white;
    - one bit: one object.

    Returns:
        np.ndarray: (H, W) uint8: 0 background, objects from 1, 255 undecided.

    Raises:
        BadSampleError: If the file is missing, damaged, a JPEG or a colour
            picture without palette, if it has numbers that are no object's
            or a depth that does not keep them, or if it has soft edges.
    """
    path = str(path)
    check_regular(path)
    try:
        with open(path, 'rb') as file:
            content = file.read()
        check_png(content)
        with Image.open(io.BytesIO(content)) as image:
            mode, kind = image.mode, image.format
            is_stretched = _is_stretched(image)
            # As the frames are read
            values = np.array(ImageOps.exif_transpose(image))
    except Exception as error:
        # A damaged file makes Pillow raise anything: see read_image.
        raise BadSampleError(
            f'{path} cannot be read as a mask: {error}', path
        ) from error
    if kind == 'JPEG':
        raise BadSampleError(
            f'{path} is a JPEG, which does not keep the numbers of objects; '
            'expected a mask of a lossless format: save it as PNG',
            path,
        )
    if mode not in ('P', '1', *_GREY):
        raise BadSampleError(
            f'{path} is a colour picture without palette (mode {mode}), and '
            'colours do not tell the number of an object; expected a PNG '
            'with a palette, or a grey one, whose values are 0 for the '
            'background and 1, 2, ... for the objects: convert it',
            path,
        )
    if mode in _GREY:
        values = _check_grey(path, values, is_stretched)
    elif mode == 'P':
        labels = np.unique(values[values > 0])
        _refuse_soft_edges(path, values, labels, _MANY)
    return values.astype(np.uint8)


def check_first_mask(
    mask: np.ndarray, path: str, frame: str, shape: tuple[int, int]
) -> None:
    """Refuse a first-frame mask without an object.

    Raises:
        BadSampleError: If the size is not the frame's, or no object is in it.
    """
    check_mask_size(mask, path, frame, shape)
    if not ((mask > 0) & (mask < UNDECIDED)).any():
        found = ', '.join(str(value) for value in np.unique(mask))
        raise BadSampleError(
            f'{path} has no object: it holds only the value(s) {found}, where '
            f'0 is background and {UNDECIDED} undecided; expected the objects '
            f'to follow from {frame} on, numbered from 1',
            path,
        )


def check_mask_size(
    mask: np.ndarray, path: str, frame: str, shape: tuple[int, int]
) -> None:
    """Refuse a mask whose size is not its frame's."""
    rule = 'a mask must have the size of its frame'
    check_size(path, mask.shape, frame, shape, rule)


def _is_stretched(image: Image.Image) -> bool:
    """Whether Pillow rescales the values of a grey image to 8 bits.

    It does with 2 and 4 bits, and where a PGM's highest value is another than
    255 or 65535. To be asked before the picture is loaded.
    """
    for codec, *_, args in image.tile:
        words = args if isinstance(args, tuple) else (args,)
        if codec in ('ppm', 'ppm_plain'):
            return words[-1] not in (255, 65535)
        return words[0] in ('L;2', 'L;4')
    return False  # formats that decode by themselves have 8 bits


def _check_grey(
    path: str, values: np.ndarray, is_stretched: bool
) -> np.ndarray:
    """Object numbers (H, W) of a grey picture."""
    found = np.unique(values)
    if set(found.tolist()) <= {0, UNDECIDED}:
        return values == UNDECIDED
    if is_stretched:
        raise BadSampleError(
            f'{path} is grey with fewer than 8 bits, or a PGM with another '
            'highest value than 255, and programs stretch such values, which '
            'changes the numbers of objects; expected 8 bits or a palette: '
            'save it anew',
            path,
        )
    for value in found[[0, -1]]:
        if not 0 <= value <= UNDECIDED:
            raise BadSampleError(
                f'{path} holds the value {value}; expected object numbers '
                f'from 1 to {UNDECIDED - 1} beside 0 for the background and '
                f'{UNDECIDED} for undecided pixels, so at most '
                f'{UNDECIDED - 1} objects: number them anew, or follow fewer',
                path,
            )
    between = found[(found > 0) & (found < UNDECIDED)]
    many = 0 if UNDECIDED in _solid_values(values) else _MANY
    _refuse_soft_edges(path, values, between, many)
    return values


def _refuse_soft_edges(
    path: str, values: np.ndarray, labels: np.ndarray, many: int
) -> None:
    """Refuse a mask of which most labels, and more than ``many``, are thin."""
    thin = len(labels) - np.isin(labels, _solid_values(values)).sum()
    if 2 * thin > len(labels) and thin > many:
        raise BadSampleError(
            f'{path} has soft edges: of its {len(labels)} values between 0 '
            f'and {UNDECIDED}, {thin} are on edges alone, and would be as '
            'many objects; expected one value for each object: paint it '
            f'without antialiasing, or set what is above 127 to {UNDECIDED} '
            'and the rest to 0',
            path,
        )


def _solid_values(values: np.ndarray) -> np.ndarray:
    """Values of pixels whose four neighbours have the same one."""
    padded = np.pad(values, 1, mode='edge')
    same = (
        (values == padded[:-2, 1:-1])
        & (values == padded[2:, 1:-1])
        & (values == padded[1:-1, :-2])
        & (values == padded[1:-1, 2:])
    )
    return np.unique(values[same])
