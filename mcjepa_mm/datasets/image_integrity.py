"""Integrity checks for PNG and JPEG files.

Decoders are made to show what they can. Pillow does not compare the checksums
of a PNG's data, OpenCV before version 5 fills what is missing with grey, and
both go on where libjpeg warns that the code of a JPEG makes no sense.
simplejpeg makes errors of those warnings.
"""

import io
import re
import zlib
from operator import attrgetter
from typing import Any, BinaryIO

import numpy as np
import simplejpeg
from PIL import Image

_PNG = b'\x89PNG\r\n\x1a\n'
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by a PNG's kind of colour
# without a palette, transparency, orientation or further pictures
_PLAIN = {b'IHDR', b'IDAT', b'IEND', b'pHYs', b'gAMA', b'cHRM', b'sRGB'}
_LONGEST = 8192  # pixels a side; of larger ones Pillow limits the memory
_INFLATION = 1032  # most bytes that deflate makes of one
_JPEG = b'\xff\xd8'
_HUFFMAN = (0xC0, 0xC1, 0xC2)  # frames of that code; the last is progressive
_SEGMENT = re.compile(rb'\xff+([^\x00\xff])(..)', re.DOTALL)
_NEXT_MARKER = re.compile(rb'\xff([^\x00\xff\xd0-\xd7])')
_ZEROS = bytes(64)


def is_png(content: bytes) -> bool:
    """Whether the bytes begin as a PNG does."""
    return content[:8] == _PNG


def is_jpeg(content: bytes) -> bool:
    """Whether the bytes begin as a JPEG does."""
    return content[:2] == _JPEG


def image_header(file: str | BinaryIO, *names: str) -> Any:
    """Pillow's attributes of an image that is not decoded, None if damaged."""
    try:
        with Image.open(file) as image:
            return attrgetter(*names)(image)
    except Exception:  # noqa: BLE001
        # IndexError and struct.error too, which Pillow does not document;
        # whoever reads the image says what is wrong
        return None


def check_png(content: bytes) -> bool:
    """Refuse a damaged PNG; other formats pass.

    Every part of a PNG has a checksum. Bytes behind the end are allowed.

    Returns:
        bool: Whether it is a PNG whose pixels are RGB or grey of 8 bits, at
        most 8192 a side, with no palette, transparency, orientation or
        further picture.

    Raises:
        ValueError: If a part is missing or does not fit its checksum, or if
            the picture cannot be as large as its header says.
    """
    if not is_png(content):
        return False
    position, data, kind, plain = 8, 0, b'', True
    while kind != b'IEND':
        length = int.from_bytes(content[position : position + 4], 'big')
        kind = content[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(content):
            raise ValueError(
                f'the PNG is truncated: a part of it ends at byte {end} and '
                f'the file at byte {len(content)}; fetch it anew'
            )
        checksum = int.from_bytes(content[end - 4 : end], 'big')
        if zlib.crc32(content[position + 4 : end - 4]) != checksum:
            raise ValueError(
                f'the PNG is damaged: bytes {position} to {end} do not fit '
                'their checksum; fetch it anew'
            )
        if position == 8 and (kind, length) != (b'IHDR', 13):
            raise ValueError(
                'the PNG is damaged: it does not begin with its header; '
                'fetch it anew'
            )
        data += length * (kind == b'IDAT')
        plain &= kind in _PLAIN
        position = end
    width = int.from_bytes(content[16:20], 'big')
    height = int.from_bytes(content[20:24], 'big')
    bits = width * content[24] * _CHANNELS.get(content[25], 1)
    if height * (bits // 8) > _INFLATION * data:
        raise ValueError(
            f'the PNG cannot be {height} x {width} pixels (height x width), '
            f'as its header says: it has only {data} bytes of data'
        )
    plain &= content[24] == 8 and content[25] in (0, 2)
    return plain and max(height, width) <= _LONGEST


def loaded_image(image: Image.Image, pixels: np.ndarray | None) -> Image.Image:
    """The picture of what :func:`decode_jpeg` returns, loaded."""
    if pixels is None:
        return image
    loaded = Image.fromarray(pixels[..., 0] if image.mode == 'L' else pixels)
    loaded.info = image.info
    return loaded


def decode_jpeg(content: bytes) -> tuple[Image.Image, np.ndarray | None]:
    """Decode a JPEG; libjpeg's warnings are errors.

    A JPEG has no checksum, but in code that is damaged there is often a
    symbol that does not exist, or it ends too early or too late for the
    number of pixels.

    Blocks of zeros, which file systems leave of what was not written, can be
    code; but with most tables of codes no picture has them. They are looked
    for in what is not progressive.

    Other damage passes, and so does all but truncation in the few files that
    simplejpeg cannot decode: those with rare ratios of the sizes of their
    components.

    Returns:
        tuple[Image.Image, np.ndarray | None]: The picture as the file holds
        it, and its pixels (H, W, 3) uint8, RGB, or (H, W, 1) of a grey one.
        None if the picture itself is loaded, where Pillow knows more.

    Raises:
        OSError: If it has no header of a JPEG.
        ValueError: If the file is truncated or damaged, or if the picture
            cannot be as large as its header says.
    """
    begin, frame, tables = _find_scan(content)
    image = Image.open(io.BytesIO(content))
    width, height = image.size
    # Huffman's code takes at least one bit for a block of 8 x 8 pixels
    if frame in _HUFFMAN and width * height > 512 * len(content):
        raise ValueError(
            f'the JPEG cannot be {height} x {width} pixels (height x width), '
            f'as its header says: it has only {len(content)} bytes'
        )
    # zeros mean a block with nothing but waves, not an area of one colour
    if frame in _HUFFMAN[:2] and any(tables):
        end = _NEXT_MARKER.search(content, begin)
        zeros = content.find(_ZEROS, begin, end.start() if end else None)
        if zeros >= 0:
            raise ValueError(
                f'the JPEG is damaged: from byte {zeros} on it has been '
                'overwritten with zeros; fetch it anew'
            )
    try:
        simplejpeg.decode_jpeg_header(content)
    except ValueError:
        # rare ratios of brightness's size to colours', which Pillow knows
        image.load()
        return image, None
    kind = {'L': 'GRAY', 'CMYK': 'CMYK'}.get(image.mode, 'RGB')
    try:
        pixels = simplejpeg.decode_jpeg(content, kind, strict=True)
    except ValueError as error:
        raise ValueError(
            f'the JPEG is truncated or damaged: {error}; fetch it anew'
        ) from error
    if kind == 'CMYK':  # Pillow knows which programs write it inverted
        image.load()
        return image, None
    return image, pixels


def _find_scan(content: bytes) -> tuple[int, int, list[int]]:
    """The first scan of a JPEG.

    Returns:
        tuple[int, int, list[int]]: Its first byte of code, the marker of the
        frame, and what the code of zeros stands for in the table of each
        component's waves.
    """
    position, marker, frame = 2, 0, 0
    shortest: dict[int, int] = {}
    while marker != 0xDA:  # start of scan
        segment = _SEGMENT.match(content, position)
        if not segment:
            raise ValueError(
                f'the JPEG is damaged or truncated: byte {position} of '
                f'{len(content)} begins no segment'
            )
        marker, begin = segment[1][0], segment.end()
        position = segment.start(2) + int.from_bytes(segment[2], 'big')
        if marker == 0xC4:
            shortest |= _shortest_codes(content[begin:position])
        # the others are tables of codes, a reserved one and conditions
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC8, 0xCC):
            frame = marker
    # behind their number each component's name and its two tables
    tables = content[begin + 2 : position - 3 : 2]
    return (
        position,
        frame,
        [shortest.get(0x10 | table & 0x0F, 0) for table in tables],
    )


def _shortest_codes(segment: bytes) -> dict[int, int]:
    """Symbols of the all-zeros code, by table of a segment."""
    found = {}
    while len(segment) > 17:
        found[segment[0]] = segment[17]
        segment = segment[17 + sum(segment[1:17]) :]
    return found
