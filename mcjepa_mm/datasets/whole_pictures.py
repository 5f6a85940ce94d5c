"""Whether the bytes of a PNG or a JPEG are all there.

Decoders are made to show what they can. Pillow does not compare the checksums
of a PNG's data, OpenCV before version 5 fills what is missing with grey, and
libjpeg goes on where the code of a JPEG makes no sense and tells nobody.
"""

import io
import re
import zlib
from typing import NamedTuple

from PIL import Image

_PNG = b'\x89PNG\r\n\x1a\n'
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by a PNG's kind of colour
_INFLATION = 1032  # most bytes that deflate makes of one
_JPEG = b'\xff\xd8'
_SEGMENT = re.compile(rb'\xff+([^\x00\xff])(..)', re.DOTALL)
_NEXT_MARKER = re.compile(rb'\xff([^\x00\xff\xd0-\xd7])')
_SLACK = 8  # bytes
_ZEROS = bytes(64)


def is_png(content: bytes) -> bool:
    """Whether the bytes begin as a PNG does."""
    return content[:8] == _PNG


def is_jpeg(content: bytes) -> bool:
    """Whether the bytes begin as a JPEG does."""
    return content[:2] == _JPEG


def check_png(content: bytes) -> None:
    """Refuse a PNG that is not as it was written; other formats pass.

    Every part of a PNG has a checksum. Bytes behind the end are allowed.

    Args:
        content (bytes): The file.

    Raises:
        ValueError: If a part is missing or does not fit its checksum, or if
            the picture cannot be as large as its header says.
    """
    if not is_png(content):
        return
    position, data, kind = 8, 0, b''
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
        position = end
    width = int.from_bytes(content[16:20], 'big')
    height = int.from_bytes(content[20:24], 'big')
    bits = width * content[24] * _CHANNELS.get(content[25], 1)
    if height * (bits // 8) > _INFLATION * data:
        raise ValueError(
            f'the PNG cannot be {height} x {width} pixels (height x width), '
            f'as its header says: it has only {data} bytes of data'
        )


def load_jpeg(content: bytes) -> Image.Image:
    """Decode a JPEG whose code is as long as its picture needs.

    A JPEG has no checksum. But a code that is damaged often ends too early
    or too late for the number of pixels. The decoder is handed the file in
    three parts, and how many it asks for tells where the picture ended.
    Blocks of zeros, which file systems leave of what was not written, can
    keep the length; but with most tables of codes no picture has them.

    Other damage passes, and so does most that is in a progressive JPEG or
    between two of the restart markers of cameras, for they let the decoder
    start anew.

    Args:
        content (bytes): The file. Bytes behind its end are allowed.

    Returns:
        Image.Image: The picture, loaded, as the file holds it.

    Raises:
        OSError: If Pillow cannot decode it.
        ValueError: If the file is truncated or damaged, or if the picture
            cannot be as large as its header says.
    """
    code = _find_code(content)
    begin, end, sequential = code.begin, code.end, code.frame in b'\xc0\xc1'
    file = _Parts(content)
    image = Image.open(file)
    width, height = image.size
    # Huffman's code takes at least one bit for a block of 8 x 8 pixels
    if code.frame in b'\xc0\xc1\xc2' and width * height > 512 * len(content):
        raise ValueError(
            f'the JPEG cannot be {height} x {width} pixels (height x width), '
            f'as its header says: it has only {len(content)} bytes'
        )
    zeros = content.find(_ZEROS, begin, end)
    if zeros >= 0 and sequential and not code.zeros_are_plain:
        raise ValueError(
            f'the JPEG is damaged: from byte {zeros} on it has been '
            'overwritten with zeros; fetch it anew'
        )
    if not sequential or not code.single:
        image.load()  # the decoder reads all of it before the first row
        return image
    most = max(begin, end - _SLACK)
    file.parts = [
        content[:most],
        # with what the decoder looks ahead; it means no marker
        content[most:end] + bytes(_SLACK),
        _JPEG[:1] + b'\xd9',  # the end
    ]
    image.load()
    if len(file.parts) != 1:
        amount = 'less' if file.parts else 'more'
        raise ValueError(
            f'the JPEG is damaged: its {height} x {width} pixels (height x '
            f'width) need {amount} than the {end - begin} bytes of code that '
            'it has; fetch it anew'
        )
    return image


class _Parts(io.BytesIO):
    """A file that is read in given parts, once it is known."""

    parts: list[bytes] | None = None

    def read(self, size: int | None = -1) -> bytes:
        if self.parts is None:
            return super().read(size)
        return self.parts.pop(0) if self.parts else b''


class _Code(NamedTuple):
    """The code of a JPEG's first scan.

    Attributes:
        begin (int): Its first byte.
        end (int): The byte behind it.
        frame (int): The marker of the frame: how it is coded.
        single (bool): Whether no other scan follows.
        zeros_are_plain (bool): Whether zeros mean an area of one colour, not
            a block with nothing but waves.
    """

    begin: int
    end: int
    frame: int
    single: bool
    zeros_are_plain: bool


def _find_code(content: bytes) -> _Code:
    position, marker, frame = 2, 0, 0
    shortest = {}
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
    after = _NEXT_MARKER.search(content, position)
    if not after:
        raise ValueError(
            f'the JPEG is truncated: it has no end in {len(content)} bytes'
        )
    # behind their number each component's name and its two tables
    tables = content[begin + 2 : position - 3 : 2]
    waves = [shortest.get(0x10 | table & 0x0F, 0) for table in tables]
    return _Code(
        begin=position,
        end=after.start(),
        frame=frame,
        single=after[1][0] == 0xD9,
        zeros_are_plain=not any(waves),
    )


def _shortest_codes(segment: bytes) -> dict[int, int]:
    """What the code of zeros stands for, by table of a segment."""
    found = {}
    while len(segment) > 17:
        found[segment[0]] = segment[17]
        segment = segment[17 + sum(segment[1:17]) :]
    return found
