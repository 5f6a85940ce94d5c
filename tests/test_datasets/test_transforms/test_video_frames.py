import av
import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement

from mcjepa_mm.datasets import BadSampleError
from mcjepa_mm.datasets.transforms import (
    LoadObjectMask,
    LoadVideoFrame,
    PackVideoFrame,
    ResizeShortSide,
)

# height, width: of a frame, and worked out by hand
SIZES = [
    ((480, 854), (480, 832)),  # DAVIS at 480p: 854 = 13 * 64 + 22
    ((480, 910), (480, 896)),  # 910 = 14 * 64 + 14
    ((480, 640), (480, 640)),
    ((854, 480), (832, 480)),
    ((1080, 1920), (480, 832)),  # 853.3
    ((720, 1280), (480, 832)),
    ((240, 426), (480, 832)),  # 852, enlarged
    ((60, 80), (480, 640)),
    ((500, 500), (480, 448)),  # 480 = 7 * 64 + 32, a square lies
    ((480, 481), (480, 448)),
    ((481, 480), (448, 480)),
    ((1, 3), (480, 1408)),  # 1440 = 22 * 64 + 32
]


def frame(size, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3), np.uint8)


@pytest.mark.parametrize('size, expected', SIZES)
def test_sizes_are_those_of_the_protocol(size, expected):
    image = frame(size)
    mask = np.zeros(size, np.uint8)
    results = ResizeShortSide()(
        dict(img=image, ori_shape=size, gt_objects=mask)
    )
    assert results['img'].shape == (*expected, 3)
    assert results['img_shape'] == expected
    assert results['ori_shape'] == size
    assert results['gt_objects'] is mask
    # DINO's own words: cv2.resize without an interpolation
    np.testing.assert_array_equal(
        results['img'], cv2.resize(image, expected[::-1])
    )


def test_all_sizes_against_fractions():
    rng = np.random.default_rng(0)
    for _ in range(200):
        height, width = (int(x) for x in rng.integers(1, 40, 2))
        short, multiple = (int(x) for x in rng.integers(1, 20, 2))
        ratio = np.float64(short) * max(height, width) / min(height, width)
        long = int(np.floor(ratio / multiple) * multiple)
        resize = ResizeShortSide(short, multiple)
        results = dict(img=frame((height, width)), img_path='f.png')
        if long == 0:
            with pytest.raises(
                ValueError,
                match=f'f.png.*{height} x {width} .*multiple={multiple}',
            ):
                resize(results)
            continue
        expected = (long, short) if height > width else (short, long)
        assert resize(results)['img_shape'] == expected


@pytest.mark.parametrize('words', [dict(short_side=0), dict(multiple=0)])
def test_resize_needs_positive_numbers(words):
    with pytest.raises(ValueError, match='positive'):
        ResizeShortSide(**words)


def test_frames_of_files_and_of_videos(tmp_path, write_image, write_video):
    load = LoadVideoFrame()
    image = write_image(tmp_path / 'f.png', 3)
    results = load(dict(img_path=str(image)))
    np.testing.assert_array_equal(results['img'], cv2.imread(str(image)))
    assert results['img_shape'] == results['ori_shape'] == (72, 96)

    video = str(write_video(tmp_path / 'v.avi', 5))
    with av.open(video) as container:
        frames = [x.to_ndarray(format='bgr24') for x in container.decode()]
    for number in range(5):
        results = load(dict(img_path=video, video_frame=number))
        np.testing.assert_array_equal(results['img'], frames[number])
        assert results['img'].flags.c_contiguous
        assert results['ori_shape'] == (72, 96)
    with pytest.raises(BadSampleError, match='v.avi.* 5 '):
        load(dict(img_path=video, video_frame=5))


def test_frame_of_another_size_than_the_first(tmp_path, write_image):
    path = str(write_image(tmp_path / 'f.png', 0))
    words = dict(img_path=path, sequence='dog')
    LoadVideoFrame()(dict(words, sequence_shape=(72, 96)))
    with pytest.raises(
        BadSampleError,
        match='f.png.* 72 x 96 .*dog.* 48 x 64',
    ):
        LoadVideoFrame()(dict(words, sequence_shape=(48, 64)))


def test_masks_are_loaded_where_there_are_some(tmp_path, write_mask):
    labels = np.array([[0, 3, 255]], np.uint8)
    path = str(write_mask(tmp_path / 'm.png', labels))
    words = dict(img_path='f.jpg', ori_shape=(1, 3), frame_index=0)
    load = LoadObjectMask()
    assert 'gt_objects' not in load(dict(words))
    mask = load(dict(words, mask_path=path))['gt_objects']
    assert mask.dtype == np.uint8 and mask.tolist() == [[0, 3, 255]]
    for index in (0, 4):
        with pytest.raises(
            BadSampleError, match='m.png.* 1 x 3 .*f.jpg.* 3 x 1'
        ):
            load(
                dict(
                    img_path='f.jpg',
                    ori_shape=(3, 1),
                    frame_index=index,
                    mask_path=path,
                )
            )


def test_pack_makes_a_sample():
    image = frame((8, 12))
    mask = np.arange(6, dtype=np.uint8).reshape(2, 3)
    meta = dict(
        sequence='dog',
        frame_index=4,
        num_frames=9,
        frame_name='00004',
        ori_shape=(2, 3),
        img_path='dog/00004.jpg',
    )
    packed = PackVideoFrame()(
        dict(meta, img=image, gt_objects=mask, img_shape=(8, 12))
    )
    inputs, sample = packed['inputs'], packed['data_samples']
    assert inputs.shape == (3, 8, 12) and inputs.dtype == torch.uint8
    assert inputs.is_contiguous()
    for channel in range(3):  # BGR to RGB
        assert inputs[channel].tolist() == image[..., 2 - channel].tolist()
    assert type(sample) is BaseDataElement
    assert sample.metainfo == meta
    assert sample.gt_objects.data.dtype == torch.uint8
    assert sample.gt_objects.data.tolist() == mask[None].tolist()
    bare = PackVideoFrame()(dict(meta, img=image))['data_samples']
    assert 'gt_objects' not in bare
