"""One's own videos and folders of frames, with a mask of the first frame."""

import shutil

import numpy as np
import pytest

from mcjepa_mm.datasets import BadSampleError, MaskedVideos
from mcjepa_mm.datasets.video_segmentation.video_search import (
    find_masked_videos,
)

MASK = np.zeros((72, 96), np.uint8)
MASK[20:40, 30:60] = 1
MASK[50:, :20] = 2


@pytest.fixture
def mask(write_mask):
    return lambda path: write_mask(path, MASK)


@pytest.fixture
def root(tmp_path, write_video, write_image, mask):
    """Two videos and two folders of frames, with masks."""
    root = tmp_path / 'root'
    write_video(root / 'dog.mp4', 5, codec='mp4v')
    mask(root / 'dog.png')
    for number in (8, 9, 10, 11):
        write_image(root / 'cat' / f'f{number}.png', number)
    mask(root / 'cat.png')
    write_video(root / 'deep' / 'bird' / 'film.AVI', 3)
    mask(root / 'deep' / 'bird' / 'first mask.png')
    write_image(root / 'cow' / 'frames' / 'b.jpg', 2)
    write_image(root / 'cow' / 'frames' / 'a.jpg', 1)
    mask(root / 'cow' / 'labels.bmp')
    return root


@pytest.fixture
def build(build):
    return lambda **kwargs: build('MaskedVideos', **kwargs)


def shown(dataset, number):
    """Which picture each sample shows."""
    return [
        number(dataset[i]['inputs'].permute(1, 2, 0).float().numpy())
        for i in range(len(dataset))
    ]


def test_videos_and_folders_are_found_in_order(build, root, number):
    dataset = build(data_root=str(root))
    assert dataset.sequences == [
        *[range(4), range(4, 6), range(6, 9), range(9, 14)]
    ]
    assert shown(dataset, number) == [
        *[8, 9, 10, 11],  # cat: 9 before 10
        *[1, 2],  # cow/frames: a before b
        *[0, 1, 2],  # deep/bird/film
        *[0, 1, 2, 3, 4],  # dog
    ]
    samples = [dataset[i]['data_samples'] for i in range(14)]
    names = ['cat'] * 4 + ['cow/frames'] * 2 + ['deep/bird/film'] * 3
    assert [s.sequence for s in samples] == names + ['dog'] * 5
    assert [s.frame_name for s in samples] == [
        *['f8', 'f9', 'f10', 'f11', 'a', 'b'],
        *[f'{t:05d}' for t in (0, 1, 2, 0, 1, 2, 3, 4)],
    ]
    first = (0, 4, 6, 9)
    for i, sample in enumerate(samples):
        assert sample.ori_shape == (72, 96)
        assert ('gt_objects' in sample) == (i in first)
        if i in first:
            assert sample.frame_index == 0
            np.testing.assert_array_equal(sample.gt_objects.data[0], MASK)
    assert samples[13].img_path == str(root / 'dog.mp4')
    assert samples[13].num_frames == 5


def test_one_video_by_its_path(build, root, number):
    videos = dict(mine=(str(root / 'dog.mp4'), str(root / 'cat.png')))
    dataset = build(videos=videos)
    assert shown(dataset, number) == [0, 1, 2, 3, 4]
    assert dataset[4]['data_samples'].sequence == 'mine'
    # relative to data_root, of which nothing else is taken
    videos = dict(b=('cat', 'cat.png'), a=('dog.mp4', 'dog.png'))
    dataset = build(data_root=str(root), videos=videos)
    assert shown(dataset, number) == [8, 9, 10, 11, 0, 1, 2, 3, 4]


def test_pairs_by_name_and_by_being_alone(tmp_path, write_image, mask):
    def touch(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()

    # a picture of a lossy format is no mask, others are not looked at
    touch('a.mp4', 'b.mp4', 'a.png', 'b.tif', 'a.jpg', 'c.png', 'x/y.avi')
    touch('x/0.png', 'x/thumbnail.jpg', 'v1.2/0.jpg', 'v1.2.png', 'note.txt')
    # masks in a folder make it no folder of frames
    touch('deep/one/0.png', 'deep/one/1.png', 'deep/one.png')
    touch('.hidden/z.mp4')
    found = find_masked_videos(str(tmp_path))
    assert found == {
        name: (str(tmp_path / video), str(tmp_path / label))
        for name, video, label in [
            ('a', 'a.mp4', 'a.png'),
            ('b', 'b.mp4', 'b.tif'),
            ('deep/one', 'deep/one', 'deep/one.png'),
            ('v1.2', 'v1.2', 'v1.2.png'),
            ('x/y', 'x/y.avi', 'x/0.png'),
        ]
    }
    assert list(found) == ['a', 'b', 'deep/one', 'v1.2', 'x/y']


def test_video_without_mask(root):
    (root / 'cat.png').unlink()
    (root / 'deep/bird/first mask.png').unlink()
    with pytest.raises(
        FileNotFoundError,
        match='root/cat, .*film.AVI',
    ):
        MaskedVideos(str(root))


@pytest.mark.parametrize('twin', ['dog.tif', 'dog.avi', 'dog/00000.png'])
def test_two_of_one_name(root, twin):
    (root / twin).parent.mkdir(exist_ok=True)
    (root / twin).touch()
    with pytest.raises(ValueError, match=twin.split('/')[0]):
        MaskedVideos(str(root))


def test_nothing_to_find(tmp_path, write_image):
    with pytest.raises(ValueError, match='data_root.*videos'):
        MaskedVideos()
    with pytest.raises(ValueError, match='sequence'):
        MaskedVideos(videos={})
    with pytest.raises(FileNotFoundError, match='none'):
        MaskedVideos(str(tmp_path / 'none'))
    with pytest.raises(ValueError, match='no video'):
        MaskedVideos(str(tmp_path))
    write_image(tmp_path / 'alone.png', 0)
    with pytest.raises(ValueError, match='no video'):
        MaskedVideos(str(tmp_path))


def test_paths_that_do_not_exist(root):
    good = str(root / 'dog.mp4'), str(root / 'dog.png')
    for pair, what in (
        (('none.mp4', good[1]), 'none.mp4, the video of'),
        ((good[0], 'none.png'), 'none.png, the first mask of'),
    ):
        with pytest.raises(FileNotFoundError, match=f"{what} 'mine'"):
            MaskedVideos(videos=dict(mine=pair))
    (root / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='empty'):
        MaskedVideos(videos=dict(mine=(str(root / 'empty'), good[1])))


@pytest.mark.parametrize(
    'names, order',
    [
        (['f00.png', 'f05.png', 'f10.png'], [0, 1, 2]),  # every fifth
        (['1000.png', '1031.png', '1066.png'], [0, 1, 2]),  # times
        (['b.png', 'a10.png', 'a9.png'], [2, 1, 0]),  # no numbers
        (['010.png', '8.png', '9.png'], [1, 2, 0]),
    ],
)
def test_order_of_frames(
    build, tmp_path, write_image, mask, number, names, order
):
    for i, name in enumerate(names):
        write_image(tmp_path / 'x' / name, i)
    mask(tmp_path / 'x.png')
    assert shown(build(data_root=str(tmp_path)), number) == order


@pytest.mark.parametrize(
    'name, match',
    [
        ('f9.bmp', r'cat.*\[9\]'),
        ('f09.png', r'cat.*\[9\]'),
    ],
)
def test_two_frames_of_one_number(root, name, match):
    shutil.copy(root / 'cat' / 'f9.png', root / 'cat' / name)
    with pytest.raises(ValueError, match=match):
        MaskedVideos(str(root))
    shutil.copy(root / 'cow/frames/a.jpg', root / 'cow/frames/a.png')
    with pytest.raises(ValueError, match=r"\['a'\]"):
        MaskedVideos(videos=dict(x=(root / 'cow/frames', root / 'dog.png')))


def test_videos_that_are_damaged(build, root, write_video, truncate, mask):
    path = truncate(write_video(root / 'bad' / 'cut.avi', 25))
    mask(root / 'bad' / 'cut.png')
    dataset = build(data_root=str(root / 'bad'))
    assert len(dataset) == 25  # as the header says
    dataset[3]
    with pytest.raises(BadSampleError, match='cut.avi.* 24') as error:
        dataset[24]
    assert error.value.filename == str(path)
    truncate(path, 0)
    with pytest.raises(BadSampleError, match='cut.avi'):
        build(data_root=str(root / 'bad'))
