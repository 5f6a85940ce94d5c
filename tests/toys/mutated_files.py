"""Damaged files, made from intact ones, and what is known of each.

What is damaged is decided here, by how it was made, and by no loader.
"""

import io
import pickle
import struct
import zlib
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from mcjepa_mm.datasets.flow_files import write_flow

SIZE = (64, 96)
"""Height and width: the least that FramePairs takes."""

OTHER = (64, 80)

# how long the header of an intact file is
_HEADERS = dict(jpg=160, png=33, flo=12, kitti=33, mp4=44, pfm=15, mask=33)


class Mutation(NamedTuple):
    """A damaged file.

    Attributes:
        name (str): What was done, fit for a file name.
        content (bytes | None): Its bytes; None is a folder of that name.
        bad (str): 'always': has to be refused. 'size': has to be where the
            loader knows the size. 'maybe': the format has no checksum, or
            lets this happen; what is read has to be well formed.
    """

    name: str
    content: bytes | None
    bad: str


def picture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A textured picture (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (16, 24, 3)).astype(np.float32)
    return cv2.resize(coarse, size[::-1]).astype(np.uint8)


def intact(kind: str, folder, size: tuple[int, int] = SIZE) -> bytes:
    """The bytes of a sound file of a kind."""
    rng = np.random.default_rng(1)
    flow = rng.normal(size=(2, *size)).cumsum(2)
    if kind in ('flo', 'pfm', 'kitti'):
        path = folder / f'intact.{"png" if kind == "kitti" else kind}'
        write_flow(path, flow)
        return path.read_bytes()
    if kind == 'mp4':
        path = folder / 'intact.mp4'
        code = cv2.VideoWriter_fourcc(*'mp4v')
        writer = cv2.VideoWriter(str(path), code, 25, size[::-1])
        assert writer.isOpened()
        for shift in range(8):
            writer.write(np.roll(picture(1, size), shift, axis=1))
        writer.release()
        return path.read_bytes()
    image = Image.fromarray(picture(1, size))
    if kind == 'mask':
        labels = np.zeros(size, np.uint8)
        labels[10:40, 10:50] = rng.integers(1, 4, (30, 40))
        image = Image.fromarray(labels)
        image.putpalette([*range(256)] * 3)
    content = io.BytesIO()
    image.save(content, 'JPEG' if kind == 'jpg' else 'PNG')
    return content.getvalue()


def mutations(kind: str, folder, flips: int = 16) -> list[Mutation]:
    """Mutations of an intact file of a kind, always the same ones."""
    whole = intact(kind, folder)
    return [
        *_truncated(kind, whole),
        *_zeroed(kind, whole),
        *_flipped(kind, whole, flips),
        *_resized(kind, whole, folder),
        *_swapped(kind, folder),
    ]


def _truncated(kind, whole):
    # cut at the last byte but one an mp4 may have lost nothing that is needed
    last = 600 if kind == 'mp4' else 1
    lengths = [0, 1, 4, _HEADERS[kind]]
    lengths += [len(whole) * n // 5 for n in range(1, 5)]
    for length in [*lengths, len(whole) - last]:
        yield Mutation(f'cut-{length}', whole[:length], 'always')


def _zeroed(kind, whole):
    # zeros are a flow like others
    body = 'maybe' if kind in ('flo', 'pfm') else 'always'
    # what an mp4 begins with tells its brand alone
    head = 'maybe' if kind == 'mp4' else 'always'
    spans = [(0, len(whole), 'always'), (0, 16, head)]
    quarter = len(whole) // 4
    spans += [(quarter * n, quarter, body) for n in (1, 2)]
    for begin, length, bad in spans:
        zeroed = bytearray(whole)
        zeroed[begin : begin + length] = bytes(length)
        yield Mutation(f'zeroed-{begin}-{length}', bytes(zeroed), bad)


def _flipped(kind, whole, flips):
    # only a PNG has checksums
    bad = 'always' if kind in ('png', 'kitti', 'mask') else 'maybe'
    rng = np.random.default_rng(2)
    for number in range(flips):
        part = (0, _HEADERS[kind]) if number % 2 else (0, len(whole))
        place, bit = int(rng.integers(*part)), int(rng.integers(8))
        flipped = bytearray(whole)
        flipped[place] ^= 1 << bit
        name = f'flipped{number}-{place}-{bit}'
        yield Mutation(name, bytes(flipped), bad)


def _resized(kind, whole, folder):
    if kind != 'mp4':  # of a film nobody else knows the size
        yield Mutation('another-size', intact(kind, folder, OTHER), 'size')
    for name, shape in (
        ('huge', (100_000, 100_000)),
        ('large', (12_000, 12_000)),
        ('empty', (0, 0)),
    ):
        if kind in ('png', 'kitti', 'mask'):
            head = whole[12:16] + struct.pack('>II', *shape) + whole[24:29]
            head += struct.pack('>I', zlib.crc32(head))
            yield Mutation(name, whole[:12] + head + whole[33:], 'always')
        elif kind == 'flo':
            head = whole[:4] + struct.pack('<ii', *shape)
            yield Mutation(name, head + whole[12:], 'always')
        elif kind == 'pfm':
            head = 'PF\n{} {}\n-1.0\n'.format(*shape).encode()
            yield Mutation(name, head + whole[15:], 'always')
        elif kind == 'jpg':
            place = whole.index(b'\xff\xc0') + 5
            shape = [min(length, 65_000) for length in shape]
            head = whole[:place] + struct.pack('>HH', *shape)
            yield Mutation(name, head + whole[place + 4 :], 'always')
    if kind == 'mp4':  # the index, of the number and lengths of frames
        place = whole.index(b'stsz')
        for count in (2**31 - 1, 2**20, 0):
            index = whole[: place + 12] + struct.pack('>I', count)
            index += whole[place + 16 :]
            bad = 'always' if count < 2**20 else 'maybe'
            yield Mutation(f'frames-{count}', index, bad)
        zeroed = whole[:place] + bytes(len(whole) - place)
        yield Mutation('index-zeroed', zeroed, 'always')


class _Payload:
    """Would write a file if it were unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, 'w'))


def _swapped(kind, folder):
    picks = dict(
        text=b'no picture\n' * 200,
        html=b'<!DOCTYPE html><html>404 Not Found</html>',
        pickle=pickle.dumps(_Payload(folder / 'payload-was-run')),
        random=np.random.default_rng(3).bytes(5000),
        gzip=zlib.compress(bytes(5000)),
        zip=b'PK\x03\x04' + bytes(200),
        folder=None,
    )
    picks |= {other: intact(other, folder) for other in ('jpg', 'flo', 'mp4')}
    picks['png'] = intact('png', folder)
    for name, content in picks.items():
        if name == kind:
            continue
        # A picture's format is told by its bytes, and a folder among files
        # that are searched for is none of them.
        fine = name == 'folder' and kind in ('jpg', 'png', 'mp4')
        fine |= {name, kind} == {'jpg', 'png'}
        yield Mutation(f'is-{name}', content, 'maybe' if fine else 'always')
