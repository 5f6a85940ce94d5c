"""Optical flow in files: Middlebury .flo, FlyingThings .pfm, KITTI .png.

The readers of mmcv and mmflow assume files that are whole. Here the content
is checked first, and they, where they are right, decode it:

- ``mmcv.sparse_flow_from_bytes`` takes an 8-bit PNG, a picture, for flow,
  and gives an invalid KITTI pixel the flow (-512, -512);
- ``mmflow``'s reader of .pfm matches the header to the byte, fails on grey
  files and loads matplotlib;
- ``mmflow.datasets.utils.write_flow_kitti`` truncates in place of rounding
  (a bias of 1/128 pixel), wraps what does not fit and calls every pixel
  valid.
"""

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import mmcv
import numpy as np

from mcjepa_mm.datasets.bad_samples import BadSampleError
from mcjepa_mm.datasets.image_integrity import check_png
from mcjepa_mm.utils.atomic_write import atomic_write

_UNKNOWN = 1e9  # Middlebury: a component as large means "not known"
_PFM_HEADER = re.compile(rb'PF\s+(\d+)\s+(\d+)\s+([-+.\deE]+)\s')


def read_flow(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Read a flow field, its format told by the suffix.

    ``.flo`` is Middlebury's format (Sintel, FlyingChairs); a component of
    1e9 and more there means that the flow is not known. ``.pfm`` is
    FlyingThings', valid everywhere; the third channel is not used. ``.png``
    is KITTI's: 16 bit, (value - 32768) / 64, the third channel tells validity.

    Args:
        path (str | PathLike): File.

    Returns:
        tuple[np.ndarray, np.ndarray]: Flow, (2, H, W) float32, x then y,
        pixels, 0 where it is not valid; and where it is, (H, W) bool.

    Raises:
        BadSampleError: If the file is missing, empty, truncated or not of its
            format, or holds NaN or infinite flow.
    """
    path = os.fspath(path)
    try:
        magic, decode, _ = _codec(path)
        with open(path, 'rb') as file:
            content = file.read(len(magic))
            # do not read a huge file that merely has this suffix
            if content == magic:
                content += file.read()
        if not content:
            raise ValueError('the file is empty')
        flow, valid = decode(content)
        if not np.isfinite(flow).all():
            number = (~np.isfinite(flow).all(axis=2)).sum()
            raise ValueError(f'{number} pixels hold NaN or infinite flow')
    except (OSError, ValueError) as error:
        raise BadSampleError(
            f'{path} cannot be read as flow: {error}', path
        ) from error
    flow = np.where(valid[..., None], flow, 0).astype(np.float32)
    return np.ascontiguousarray(flow.transpose(2, 0, 1)), valid


def write_flow(
    path: str | os.PathLike, flow: np.ndarray, valid: np.ndarray | None = None
) -> None:
    """Write a flow field atomically.

    Args:
        path (str | PathLike): File; its folder is made. The suffix
            chooses the format, as for :func:`read_flow`.
        flow (np.ndarray): (2, H, W), x then y, pixels. KITTI's format rounds
            it to 1/64 pixel, the others to float32.
        valid (np.ndarray, optional): (H, W), non-zero where the flow is
            known; elsewhere ``flow`` may hold anything. None: everywhere.

    Raises:
        ValueError: If the shapes do not fit, or the format cannot hold the
            flow: NaN or infinite where valid, 1e9 and more in .flo, outside
            [-512, 512) in KITTI's .png, invalid pixels in .pfm.
    """
    path = Path(path)
    flow = np.asarray(flow)
    if flow.ndim != 3 or flow.shape[0] != 2 or flow.size == 0:
        raise ValueError(
            f'{path}: expected flow (2, H, W), x then y, got {flow.shape}'
        )
    flow = flow.transpose(1, 2, 0)
    if valid is None:
        valid = np.ones(flow.shape[:2], bool)
    valid = np.asarray(valid) != 0
    if valid.shape != flow.shape[:2]:
        raise ValueError(
            f'{path}: expected a validity of shape {flow.shape[:2]}, as the '
            f'flow has, got {valid.shape}'
        )
    flow = np.where(valid[..., None], flow, 0).astype(np.float32)
    if not np.isfinite(flow).all():
        number = (~np.isfinite(flow).all(axis=2)).sum()
        raise ValueError(
            f'{path}: the flow is NaN or infinite at {number} valid pixels; '
            'mark them invalid, or find what made them'
        )
    try:
        content = _codec(path)[2](flow, valid)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, content)


def _codec(path: str | os.PathLike) -> tuple[bytes, Callable, Callable]:
    """A format's first bytes, and the functions that decode and encode it."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in _CODECS:
        raise ValueError(
            f'flow files end in {", ".join(_CODECS)}, not in {suffix!r}'
        )
    return _CODECS[suffix]


def _expect(
    length: int, header: int, width: int, height: int, item: int
) -> None:
    """Refuse content that is not a header and width x height items."""
    expected = header + width * height * item
    if width < 1 or height < 1 or length != expected:
        raise ValueError(
            f'expected {expected} bytes for {width} x {height} pixels (width '
            f'x height), got {length}; the file is damaged, download it again'
        )


def _decode_flo(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    if content[:4] != b'PIEH' or len(content) < 12:
        raise ValueError(f'a .flo file begins with PIEH, got {content[:4]!r}')
    width, height = struct.unpack('<ii', content[4:12])
    _expect(len(content), 12, width, height, 8)
    flow = mmcv.flow_from_bytes(content)
    return flow, (np.abs(flow) < _UNKNOWN).all(axis=2)


def _decode_pfm(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    header = _PFM_HEADER.match(content)
    if not header:
        raise ValueError(
            "a .pfm file of flow begins with 'PF', width, height and scale, "
            f'got {content[:20]!r}'
        )
    width, height = int(header[1]), int(header[2])
    _expect(len(content), header.end(), width, height, 12)
    # the scale's sign is the byte order; the lines go from bottom to top
    order = '<' if float(header[3]) < 0 else '>'
    data = np.frombuffer(content, f'{order}f4', offset=header.end())
    flow = data.reshape(height, width, 3)[::-1, :, :2]
    return flow, np.ones((height, width), bool)


def _decode_png(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    # bytes 24 and 25: bits of a channel, and the kind of colour, 2 for RGB
    if content[:8] != b'\x89PNG\r\n\x1a\n' or content[24:26] != b'\x10\x02':
        raise ValueError(
            "KITTI's flow is a PNG of three channels of 16 bit; this is "
            'another kind of file, perhaps a picture of flow'
        )
    check_png(content)
    try:
        flow, valid = mmcv.sparse_flow_from_bytes(content)
    except (TypeError, cv2.error) as error:  # OpenCV may return None
        raise ValueError(
            'OpenCV cannot decode it; the file is damaged, download it again'
        ) from error
    return flow, valid != 0


def _encode_flo(flow: np.ndarray, valid: np.ndarray) -> bytes:
    if np.abs(flow).max() >= _UNKNOWN:
        raise ValueError('flow of 1e9 means "not known" in a .flo file')
    flow = np.where(valid[..., None], flow, 10 * _UNKNOWN)
    height, width = valid.shape
    header = struct.pack('<4sii', b'PIEH', width, height)
    return header + flow.astype('<f4').tobytes()


def _encode_pfm(flow: np.ndarray, valid: np.ndarray) -> bytes:
    if not valid.all():
        raise ValueError('a .pfm file cannot hold invalid pixels, take .flo')
    data = np.zeros((*valid.shape, 3), '<f4')
    data[..., :2] = flow[::-1]
    height, width = valid.shape
    return f'PF\n{width} {height}\n-1.0\n'.encode() + data.tobytes()


def _encode_png(flow: np.ndarray, valid: np.ndarray) -> bytes:
    value = np.rint(flow.astype(np.float64) * 64) + 2**15
    if value.min() < 0 or value.max() >= 2**16:
        raise ValueError(
            "KITTI's format holds flow from -512 to 512 pixels, got "
            f'{flow.min():.6g} to {flow.max():.6g}'
        )
    data = np.concatenate([value, np.ones_like(value[..., :1])], axis=2)
    data[~valid] = 0  # the development kit's way to say "invalid"
    done, content = cv2.imencode('.png', data[..., ::-1].astype(np.uint16))
    assert done, f'OpenCV cannot encode a picture of {data.shape}'
    return content.tobytes()


_CODECS = {
    '.flo': (b'PIEH', _decode_flo, _encode_flo),
    '.pfm': (b'PF', _decode_pfm, _encode_pfm),
    '.png': (b'\x89PNG', _decode_png, _encode_png),
}
