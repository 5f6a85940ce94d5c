import os
import struct
import zlib

import cv2
import mmcv
import numpy as np
import pytest

from mcjepa_mm.datasets import BadSampleError
from mcjepa_mm.datasets.flow_files import read_flow, write_flow

SUFFIXES = ['.flo', '.pfm', '.png']


def random_flow(size=(5, 7), scale=30.0):
    rng = np.random.default_rng(0)
    return (scale * rng.normal(size=(2, *size))).astype(np.float32)


def png_chunk(kind, data):
    crc = zlib.crc32(kind + data)
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', crc)


def png(rows, width, bits=16):
    """A PNG by its specification; rows are bytes."""
    header = struct.pack('>IIBBBBB', width, len(rows), bits, 2, 0, 0, 0)
    data = zlib.compress(b''.join(b'\0' + row for row in rows))
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        [
            png_chunk(b'IHDR', header),
            png_chunk(b'IDAT', data),
            png_chunk(b'IEND', b''),
        ]
    )


def test_flo_by_hand(tmp_path):
    path = tmp_path / 'a.flo'
    vectors = [1.0, 2.0, -3.5, 4.0, 1.666666752e9, 1.666666752e9]
    path.write_bytes(b'PIEH' + struct.pack('<ii6f', 3, 1, *vectors))
    flow, valid = read_flow(path)
    assert flow.tolist() == [[[1, -3.5, 0]], [[2, 4, 0]]]
    assert valid.tolist() == [[True, True, False]]
    assert flow.dtype == np.float32 and valid.dtype == bool


@pytest.mark.parametrize('order, scale', [('<', '-1.0'), ('>', '1')])
def test_pfm_by_hand(tmp_path, order, scale):
    path = tmp_path / 'a.pfm'
    lower, upper = [1.0, 2.0, 0.0, 3.0, 4.0, 0.0], [5, 6, 9, 7, 8, 9]
    data = struct.pack(f'{order}12f', *lower, *upper)
    path.write_bytes(f'PF\n2 2\n{scale}\n'.encode() + data)
    flow, valid = read_flow(str(path))
    assert flow.tolist() == [[[5, 7], [1, 3]], [[6, 8], [2, 4]]]
    assert valid.all() and valid.shape == (2, 2)


def test_png_by_hand(tmp_path):
    path = tmp_path / 'a.png'
    x, y = 32768 + 64 * 3, 32768 - 32
    row = struct.pack('>6H', x, y, 1, 0, 0, 0)
    path.write_bytes(png([row], 2))
    flow, valid = read_flow(path)
    assert flow.tolist() == [[[3, 0]], [[-0.5, 0]]]
    assert valid.tolist() == [[True, False]]


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_what_is_written_is_read(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    flow = random_flow()
    valid = np.ones((5, 7), bool)
    if suffix != '.pfm':
        valid[1, 2:4] = valid[4, 6] = False
        flow[:, 4, 6] = np.nan
    path.write_bytes(b'what was there before')
    write_flow(path, flow, valid)
    got, got_valid = read_flow(path)
    precision = 1 / 128 if suffix == '.png' else 0
    assert np.array_equal(got_valid, valid)
    assert np.abs(got - flow)[:, valid].max() <= precision
    assert (got[:, ~valid] == 0).all()
    assert os.listdir(tmp_path) == [path.name]
    # once at the format's precision, nothing changes any more
    first = path.read_bytes()
    write_flow(path, got, got_valid)
    assert path.read_bytes() == first


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_other_readers_agree(tmp_path, suffix):
    from mmflow.datasets.utils import flow_io

    path = str(tmp_path / f'a{suffix}')
    flow = random_flow()
    write_flow(path, flow)
    got, valid = read_flow(path)
    if suffix == '.flo':
        others = [flow_io.read_flow(path), mmcv.flowread(path)]
    elif suffix == '.pfm':
        others = [flow_io.read_pfm(path)]
    else:
        other, other_valid = flow_io.read_flow_kitti(path)
        others = [other]
        assert np.array_equal(valid, other_valid == 1)
    for other in others:
        assert np.array_equal(got.transpose(1, 2, 0), other)


def test_kitti_values(tmp_path):
    path = tmp_path / 'a.png'
    flow = np.array(
        [[[-512, 511.984375, 0.99 / 64, 9]], [[0, 0, -0.7 / 64, 9]]]
    )
    write_flow(path, flow, np.array([[1, 1, 1, 0]]))
    data = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert data.dtype == np.uint16
    assert data[0].tolist() == [
        [0, 32768, 1],
        [65535, 32768, 1],
        [32769, 32767, 1],  # rounded, not truncated
        [0, 0, 0],
    ]


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_damaged_files(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    with pytest.raises(BadSampleError, match=path.name):
        read_flow(path)
    write_flow(path, random_flow())
    whole = path.read_bytes()
    cuts = [whole[:n] for n in (0, 7, len(whole) // 2, len(whole) - 1)]
    for content in [*cuts, b'XXXX' + whole[4:]]:
        path.write_bytes(content)
        with pytest.raises(BadSampleError) as caught:
            read_flow(path)
        assert caught.value.filename == str(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize('suffix', ['.flo', '.pfm'])
def test_a_file_that_is_too_long(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    write_flow(path, random_flow())
    path.write_bytes(path.read_bytes() + b'0')
    with pytest.raises(BadSampleError, match='7 x 5'):
        read_flow(path)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_flow_that_is_not_finite(tmp_path, value):
    header = b'PIEH' + struct.pack('<ii', 1, 2)
    path = tmp_path / 'a.flo'
    path.write_bytes(header + struct.pack('<4f', 1, value, 2, 3))
    with pytest.raises(BadSampleError, match='1 pixels'):
        read_flow(path)
    flow = np.zeros((2, 3, 4))
    flow[0, 1, 1] = value
    for suffix in SUFFIXES:
        path = tmp_path / f'b{suffix}'
        with pytest.raises(ValueError, match=rf'b\{suffix}.* 1 '):
            write_flow(path, flow)
        assert not path.exists()


def test_a_picture_is_not_flow(tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(png([bytes(6)], 2, bits=8))
    with pytest.raises(BadSampleError, match='16 bit'):
        read_flow(path)


@pytest.mark.parametrize(
    'name, flow, valid, match',
    [
        ('a.npy', np.zeros((2, 3, 4)), None, r'\.flo, \.pfm, \.png'),
        ('a.flo', np.zeros((3, 4, 2)), None, r'\(3, 4, 2\)'),
        ('a.flo', np.zeros((2, 0, 4)), None, r'\(2, 0, 4\)'),
        ('a.flo', np.zeros((2, 3, 4)), np.ones((4, 3)), r'\(4, 3\)'),
        ('a.flo', np.full((2, 3, 4), 2e9), None, '1e9'),
        ('a.pfm', np.zeros((2, 3, 4)), np.zeros((3, 4)), 'invalid'),
        ('a.png', np.full((2, 3, 4), 512), None, '512 to 512'),
        ('a.png', np.full((2, 3, 4), -512.1), None, '-512.1'),
    ],
)
def test_write_refuses(tmp_path, name, flow, valid, match):
    with pytest.raises(ValueError, match=match) as caught:
        write_flow(tmp_path / name, flow, valid)
    assert name in str(caught.value)
    assert not os.listdir(tmp_path)


def test_unknown_suffix(tmp_path):
    (tmp_path / 'a.bin').write_bytes(b'PIEH')
    with pytest.raises(BadSampleError, match=r'a\.bin .*\.flo, \.pfm'):
        read_flow(tmp_path / 'a.bin')
