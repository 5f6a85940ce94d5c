"""Packed folders give the samples of the folders that they were made of."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import torch

from mcjepa_mm.datasets import (
    BadSampleError,
    BadSampleGuard,
    FramePairs,
    UnlabelledImages,
    packing,
)
from mcjepa_mm.datasets.packed_folder import open_packed
from mcjepa_mm.datasets.packing import pack_folder
from mcjepa_mm.datasets.transforms import read_image

LOAD = [dict(type='mcjepa_mm.LoadImageStrict')]
PACK = [dict(type='mcjepa_mm.PackViews')]


@pytest.fixture
def source(tmp_path, write_image, write_video):
    """Images above each other, two clips of images and a video."""
    for i, name in enumerate(['f1.png', 'f2.jpg', 'f10.png']):
        write_image(tmp_path / 'source' / 'deep' / 'er' / name, 3 + i)
    for i in range(4):
        write_image(tmp_path / 'source' / 'flat' / f'{i:03d}.jpg', 10 + i)
    write_video(tmp_path / 'source' / 'deep' / 'film.mp4', 5, codec='mp4v')
    return tmp_path / 'source'


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'packed'


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of one or two files."""
    write = packing._write_shards
    monkeypatch.setattr(
        packing, '_write_shards', lambda *args: write(*args[:3], 8000)
    )


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def below(folder, paths):
    return [os.path.relpath(path, folder) for path in paths]


def test_images_are_those_of_the_folder(source, out):
    pack_folder(source, out)
    plain, packed = (UnlabelledImages(str(x), LOAD) for x in (source, out))
    # as a spawned worker gets it
    packed = pickle.loads(pickle.dumps(packed))
    assert len(plain) == len(packed) == 7
    for i, sample in enumerate(plain):
        assert np.array_equal(sample['img'], packed[i]['img'])
        assert sample['sample_idx'] == packed[i]['sample_idx'] == i
        assert below(source, [sample['img_path']]) == below(
            out, [packed[i]['img_path']]
        )


@pytest.mark.parametrize('options', [{}, dict(frame_gap=1, max_gap=3)])
def test_pairs_are_those_of_the_folder(source, out, options, small_shards):
    assert pack_folder(source, out).num_shards > 2
    plain, packed = (
        FramePairs(str(x), pipeline=PACK, **options) for x in (source, out)
    )
    packed = pickle.loads(pickle.dumps(packed))
    assert len(plain) == len(packed) == 3 + 2 + 4
    for i in range(len(plain)):
        assert torch.equal(plain[i]['inputs'], packed[i]['inputs'])
        assert (
            plain[i]['data_samples'].frame_indices
            == packed[i]['data_samples'].frame_indices
        )


def test_by_what_the_folder_is_searched(source, out, write_image):
    write_image(source / '1.png', 1)
    write_image(source / '2.png', 2)
    pack_folder(source, out)
    for options in (
        dict(recursive=False),
        dict(frame_name=r'(?P<clip>)f?(?P<number>\d+)\.(png|jpg)'),
    ):
        plain, packed = (FramePairs(str(x), **options) for x in (source, out))
        assert [
            below(source, plain.get_data_info(i)['img_path'])
            for i in range(len(plain))
        ] == [
            below(out, packed.get_data_info(i)['img_path'])
            for i in range(len(packed))
        ]
    with pytest.raises(ValueError, match='min_size=73'):
        FramePairs(str(out), min_size=73)


def test_frames_as_jpeg_are_nearly_those_of_the_video(source, out):
    pack_folder(source, out, jpeg=95)
    exact, near = (FramePairs(str(x), pipeline=PACK) for x in (source, out))
    error = exact[2]['inputs'].int() - near[2]['inputs'].int()
    assert 0 < error.abs().float().mean() < 2


def test_a_packed_folder_among_others(source, out, write_image, tmp_path):
    pack_folder(source, out)
    write_image(tmp_path / 'zoo' / '1.png', 7)
    shutil.rmtree(source)
    data = UnlabelledImages(str(tmp_path), LOAD)
    assert [x['img'].shape for x in data] == 8 * [(72, 96, 3)]


def test_shards_are_tar_files(source, out):
    pack_folder(source, out)
    with tarfile.open(out / '00000.tar') as tar:
        names = tar.getnames()
        stored = tar.extractfile('deep/er/f2.jpg').read()
    assert names == [
        *[f'deep/film.mp4/{i:06d}.tif' for i in range(5)],
        *[f'deep/er/{name}' for name in ('f1.png', 'f2.jpg', 'f10.png')],
        *[f'flat/{i:03d}.jpg' for i in range(4)],
    ]
    assert stored == (source / 'deep' / 'er' / 'f2.jpg').read_bytes()


@pytest.mark.parametrize('number', range(7))
def test_goes_on_after_an_error_anywhere(
    source, out, number, small_shards, monkeypatch
):
    whole = out.parent / 'whole'
    pack_folder(source, whole)
    writes, write = [], packing.atomic_open

    def broken(path):
        writes.append(path)
        if len(writes) > 2 * number:
            raise KeyboardInterrupt
        return write(path)

    monkeypatch.setattr(packing, 'atomic_open', broken)
    with pytest.raises(KeyboardInterrupt):
        pack_folder(source, out)
    monkeypatch.setattr(packing, 'atomic_open', write)
    for data_set in (UnlabelledImages, FramePairs):
        with pytest.raises(ValueError, match='in part'):
            data_set(str(out))
    pack_folder(source, out)
    assert content(out) == content(whole)


@pytest.mark.slow
def test_goes_on_after_kills(source, out, write_image):
    for i in range(300):
        write_image(source / 'many' / f'{i}.png', i % 25, (200, 300))
    whole = out.parent / 'whole'
    pack_folder(source, whole, shard_mib=1)
    code = (
        'import sys; from mcjepa_mm.datasets.packing import pack_folder; '
        'print(flush=True); pack_folder(*sys.argv[1:], shard_mib=1)'
    )
    command = [sys.executable, '-c', code, str(source), str(out)]
    kills, status = 0, -signal.SIGKILL
    while status == -signal.SIGKILL:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()
        try:
            process.wait(0.1 + 0.1 * kills)
        except subprocess.TimeoutExpired:
            process.kill()
        status = process.wait()
        process.stdout.close()
        kills += status < 0
    assert kills and status == 0
    assert content(out) == content(whole)


def test_another_pack_in_the_folder_is_refused(source, out, small_shards):
    pack_folder(source, out)
    whole = content(out)
    with pytest.raises(ValueError, match='jpeg=None, now 90'):
        pack_folder(source, out, jpeg=90)
    pack_folder(source, out)  # compared, and left as it is
    assert content(out) == whole


def test_a_source_that_changes_between_is_refused(
    source, out, small_shards, write_image, monkeypatch
):
    def broken(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(packing, '_write_arrays', broken)
        with pytest.raises(KeyboardInterrupt):
            pack_folder(source, out)
    write_image(source / 'deep' / 'er' / 'f3.png', 1)
    with pytest.raises(ValueError, match=r'f10\.png.*f3\.png'):
        pack_folder(source, out)


@pytest.mark.parametrize(
    ('damage', 'error', 'match'),
    [
        ('cut', ValueError, '00001.tar'),
        ('missing', FileNotFoundError, '00001.tar'),
        ('rows', ValueError, 'rows.npy'),
        ('header', ValueError, 'mcjepa_pack.json'),
    ],
)
def test_what_is_not_whole_is_refused(
    source, out, damage, error, match, small_shards, truncate
):
    pack_folder(source, out)
    if damage == 'cut':
        truncate(out / '00001.tar', 0.9)
    elif damage == 'missing':
        (out / '00001.tar').unlink()
    elif damage == 'rows':
        stored = bytearray((out / 'rows.npy').read_bytes())
        stored[-1] ^= 1
        (out / 'rows.npy').write_bytes(stored)
    else:
        truncate(out / 'mcjepa_pack.json')
    for data_set in (UnlabelledImages, FramePairs):
        with pytest.raises(error, match=match) as found:
            data_set(str(out))
        assert '\n' not in str(found.value)


def test_bytes_that_changed_are_a_bad_sample(source, out):
    packed = pack_folder(source, out)
    shard, number = out / '00000.tar', packed.find('deep/er/f2.jpg')
    offset = int(packed._rows[number]['offset'])
    stored = bytearray(shard.read_bytes())
    stored[offset + 300] ^= 1
    shard.write_bytes(stored)
    path = str(out / 'deep/er/f2.jpg')
    with pytest.raises(BadSampleError, match='00000.tar has changed'):
        read_image(path)
    guard = BadSampleGuard(UnlabelledImages(str(out), LOAD))
    assert guard[1]['sample_idx'] != 1
    assert guard.bad_files() == [path]
    with pytest.raises(ValueError, match='00000.tar has changed'):
        pack_folder(source, out)


def test_damaged_files_keep_their_places(source, out, truncate, monkeypatch):
    truncate(source / 'deep' / 'er' / 'f2.jpg')
    (source / 'flat' / '001.jpg').write_bytes(b'')
    told = []
    monkeypatch.setattr(packing, 'warn', told.append)
    pack_folder(source, out)
    assert [x in y for x, y in zip(('f2.jpg', '001.jpg'), told)] == [True] * 2
    plain, packed = (
        BadSampleGuard(UnlabelledImages(str(x), LOAD)) for x in (source, out)
    )
    for i in range(7):
        assert np.array_equal(plain[i]['img'], packed[i]['img'])
    expected = ['deep/er/f2.jpg', 'flat/001.jpg']
    assert below(source, plain.bad_files()) == expected
    assert below(out, packed.bad_files()) == expected


def test_folders_that_cannot_be_packed(source, out, tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='nothing to pack'):
        pack_folder(tmp_path / 'empty', out)
    with pytest.raises(FileNotFoundError, match='none'):
        pack_folder(tmp_path / 'none', out)
    with pytest.raises(ValueError, match='outside'):
        pack_folder(source, source / 'packed')
    assert not out.exists() and not (source / 'packed').exists()
    out.mkdir()
    (out / 'thesis.tex').touch()
    with pytest.raises(ValueError, match='thesis.tex'):
        pack_folder(source, out)
    assert os.listdir(out) == ['thesis.tex']
    (out / 'thesis.tex').unlink()
    pack_folder(source, out)
    with pytest.raises(ValueError, match='packed already'):
        pack_folder(out, tmp_path / 'again')


def test_a_file_that_is_not_there(source, out):
    pack_folder(source, out)
    with pytest.raises(BadSampleError, match='none.png'):
        read_image(str(out / 'none.png'))
    assert open_packed(str(out)).name(0) == 'deep/film.mp4/000000.tif'
