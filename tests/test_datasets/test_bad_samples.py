import logging

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from mcjepa_mm.datasets import (
    BadSampleError,
    BadSampleGuard,
    FramePairs,
    TooManyBadSamplesError,
)

PACK = [dict(type='mcjepa_mm.PackViews')]


class Numbers(Dataset):
    """0 to 19 from 'files'; some of them are bad."""

    data_root = 'numbers'

    def __init__(self, bad=(), error=None):
        self.bad = bad
        self.error = error

    def __len__(self):
        return 20

    def get_data_info(self, index):
        return dict(img_path=f'file-{index}')

    def __getitem__(self, index):
        if index in self.bad:
            raise self.error or BadSampleError(f'file-{index} is broken')
        return torch.tensor(index)


@pytest.fixture
def images(tmp_path, write_image, truncate):
    """Config of 8 images under mmpretrain's data set; 'c' is truncated."""
    for number, name in enumerate('abcdefgh'):
        write_image(tmp_path / 'some' / f'{name}.jpg', number)
    truncate(tmp_path / 'some' / 'c.jpg', 0.6)
    return dict(
        type='mmpretrain.CustomDataset',
        data_root=str(tmp_path),
        with_label=False,
        pipeline=[
            dict(type='mcjepa_mm.LoadImageStrict'),
            dict(type='mmpretrain.PackInputs'),
        ],
    )


def test_replacement_is_always_the_same_and_good():
    guard = BadSampleGuard(Numbers(bad=(3, 4, 15)))
    first = [int(guard[i]) for i in range(20)]
    assert not {3, 4, 15} & set(first)
    assert all(first[i] == i for i in range(20) if i not in (3, 4, 15))
    assert [int(guard[i]) for i in range(20)] == first
    again = BadSampleGuard(Numbers(bad=(3, 4, 15)))
    assert [int(again[i]) for i in reversed(range(20))] == first[::-1]
    assert guard.bad_samples() == [3, 4, 15]
    assert guard.bad_files() == ['file-3', 'file-4', 'file-15']
    with pytest.raises(IndexError):
        guard[20]


def test_file_is_named_once_in_a_warning():
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    guard = BadSampleGuard(Numbers(bad=(3,)))
    for _ in range(3):
        guard[3]
    logger.removeHandler(handler)
    assert [record.levelname for record in records] == ['WARNING']
    assert 'file-3: BadSampleError' in records[0].getMessage()


@pytest.mark.parametrize('max_bad, allowed', [(2, 2), (0, 0), (0.1, 2)])
def test_limit_counts_files_or_shares(max_bad, allowed):
    bad = tuple(range(allowed + 1))
    guard = BadSampleGuard(Numbers(bad=bad), max_bad=max_bad)
    for index in range(allowed):
        guard[index]
    with pytest.raises(
        TooManyBadSamplesError, match=f'max_bad={max_bad} .*file-{allowed}'
    ):
        guard[allowed]


@pytest.mark.parametrize('max_bad', [-1, 1.0, -0.5])
def test_wrong_limit(max_bad):
    with pytest.raises(ValueError, match=f'got {max_bad}'):
        BadSampleGuard(Numbers(), max_bad=max_bad)


def test_nothing_but_bad_samples():
    guard = BadSampleGuard(Numbers(bad=range(20)), max_bad=20)
    with pytest.raises(TooManyBadSamplesError, match='no sample'):
        guard[0]


@pytest.mark.parametrize('error', [KeyError('img'), TypeError('x'), None])
def test_bugs_pass_through(error):
    guard = BadSampleGuard(Numbers(bad=(3,), error=error))
    if error is None:
        assert int(guard[3]) != 3
        return
    with pytest.raises(type(error)):
        guard[3]
    assert guard.bad_samples() == []


@pytest.mark.parametrize('context', [None, 'fork', 'spawn'])
def test_record_of_workers_reaches_the_main_process(
    tmp_path, write_image, truncate, context
):
    for number in range(9):
        write_image(tmp_path / f'{number}.png', number)
    truncate(tmp_path / '2.png')
    truncate(tmp_path / '7.png')
    guard = BadSampleGuard(FramePairs(str(tmp_path), pipeline=PACK))
    loader = DataLoader(
        guard,
        batch_size=None,
        num_workers=2 if context else 0,
        multiprocessing_context=context,
        persistent_workers=context is not None,
    )
    for _ in range(2):
        used = [sample['data_samples'].sample_idx for sample in loader]
        assert len(used) == 8 and not set(used) & {1, 2, 6, 7}
    assert guard.bad_samples() == [1, 2, 6, 7]
    assert guard.bad_files() == [str(tmp_path / f'{i}.png') for i in (2, 7)]


def test_limit_holds_over_all_processes_together():
    guard = BadSampleGuard(Numbers(bad=(0, 1, 2, 9)), max_bad=3)
    # Each of the workers meets some of the first three.
    found = DataLoader(guard, sampler=range(6), num_workers=2)
    assert len(list(found)) == 6 and guard.bad_samples() == [0, 1, 2]
    with pytest.raises(TooManyBadSamplesError, match='4 files .*max_bad=3'):
        guard[9]


def test_mmcvs_loader_is_guarded_too(images, tmp_path):
    images['pipeline'][0] = dict(type='LoadImageFromFile')
    (tmp_path / 'some' / 'c.jpg').unlink()
    (tmp_path / 'some' / 'd.jpg').write_bytes(b'')  # cv2.error
    (tmp_path / 'some' / 'e.jpg').write_bytes(b'no image')  # AssertionError
    guard = BadSampleGuard(images)
    (tmp_path / 'some' / 'f.jpg').unlink()  # FileNotFoundError
    for index in range(len(guard)):
        guard[index]
    names = [path.rsplit('/')[-1] for path in guard.bad_files()]
    assert names == ['d.jpg', 'e.jpg', 'f.jpg']


def test_mmsegs_damaged_maps_are_guarded_and_named(
    tmp_path, write_image, write_mask, truncate
):
    for number in range(5):
        write_image(tmp_path / 'frames' / f'{number}.png', number)
        write_mask(tmp_path / 'maps' / f'{number}.bmp', np.eye(72, 96))
    empty = tmp_path / 'frames' / '0.png'
    empty.write_bytes(b'')
    cut = truncate(tmp_path / 'maps' / '1.bmp')
    broken = tmp_path / 'maps' / '2.bmp'
    content = bytearray(broken.read_bytes())
    content[46] ^= 128  # the number of colours
    broken.write_bytes(content)
    guard = BadSampleGuard(
        dict(
            type='mmseg.BaseSegDataset',
            data_root=str(tmp_path),
            data_prefix=dict(img_path='frames', seg_map_path='maps'),
            img_suffix='.png',
            seg_map_suffix='.bmp',
            metainfo=dict(classes=('a', 'b'), palette=[[0, 0, 0]] * 2),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='mmseg.LoadAnnotations'),
                dict(type='mmseg.PackSegInputs'),
            ],
        )
    )
    for index in range(len(guard)):
        assert 'gt_sem_seg' in guard[index]['data_samples']
    assert guard.bad_samples() == [0, 1, 2]
    assert guard.bad_files() == [str(empty), str(cut), str(broken)]


def test_a_bug_in_a_transform_of_pillow_images_is_no_bad_sample():
    def transform():
        Image.new('RGB', (4, 4)).resize((-1, 4))

    class Broken(Numbers):
        def __getitem__(self, index):
            transform()

    guard = BadSampleGuard(Broken())
    with pytest.raises(ValueError, match='height'):
        guard[0]


def test_missing_and_empty_image_folders(images, tmp_path):
    missing = dict(images, data_root=str(tmp_path / 'nowhere'))
    with pytest.raises(
        FileNotFoundError,
        match='nowhere',
    ):
        BadSampleGuard(missing)
    (tmp_path / 'empty').mkdir()
    empty = dict(images, data_root=str(tmp_path / 'empty'))
    with pytest.raises(RuntimeError, match=r'empty.*\.jpg'):
        BadSampleGuard(empty)


def test_truncated_video_among_others(tmp_path, write_video, truncate):
    cut = truncate(write_video(tmp_path / 'cut.avi', 30))
    write_video(tmp_path / 'whole.avi', 30)
    dataset = FramePairs(str(tmp_path), pipeline=PACK)
    # what is left of it is used, and no pair is promised that it has not
    assert dataset.truncated_files == [str(cut)]
    assert 29 + 5 < len(dataset) < 2 * 29 - 5
    guard = BadSampleGuard(dataset, max_bad=0)
    for index in range(len(guard)):
        assert guard[index]['inputs'].shape == (2, 3, 72, 96)


def test_damage_inside_a_video_among_others(tmp_path, write_video):
    path = write_video(tmp_path / 'zeroed.avi', 30)
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) * 2 // 3] = bytes(
        len(content) * 2 // 3 - len(content) // 3
    )
    path.write_bytes(content)
    write_video(tmp_path / 'whole.mp4', 30, codec='mp4v')
    zeroed = bytearray((tmp_path / 'whole.mp4').read_bytes())
    middle = len(zeroed) // 2
    zeroed[middle : middle + 2000] = bytes(2000)
    (tmp_path / 'zeroed.mp4').write_bytes(zeroed)
    dataset = FramePairs(str(tmp_path), pipeline=PACK)
    guard = BadSampleGuard(dataset, max_bad=1)
    for index in range(len(guard)):
        assert guard[index]['inputs'].shape == (2, 3, 72, 96)
    # Several pairs, one file: an int bounds files, a float pairs.
    assert guard.bad_files() == [str(tmp_path / 'zeroed.mp4')]
    assert len(guard.bad_samples()) > 2
    guard = BadSampleGuard(dataset, max_bad=0.01)
    with pytest.raises(TooManyBadSamplesError, match='zeroed.mp4'):
        for index in range(len(guard)):
            guard[index]


def test_unopenable_video_counts_towards_the_limit(
    tmp_path, write_video, truncate
):
    truncate(write_video(tmp_path / 'cut.mp4', 9, codec='mp4v'))
    write_video(tmp_path / 'whole.avi', 9)
    config = dict(type='mcjepa_mm.FramePairs', data_root=str(tmp_path))
    assert len(BadSampleGuard(config, max_bad=1).bad_files()) == 1
    with pytest.raises(TooManyBadSamplesError, match='cut.mp4'):
        BadSampleGuard(config, max_bad=0)
