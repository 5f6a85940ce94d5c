import numpy as np
import pytest
import torch

from mcjepa_mm.datasets.transforms import (
    PackViews,
    RandomCropPair,
    RandomFlipPair,
    ResizePair,
)


@pytest.fixture
def pair():
    """Two frames whose pixels hold their own coordinates: y, x, frame."""
    y, x = np.mgrid[:40, :60].astype(np.uint8)
    imgs = [np.stack([y, x, np.full_like(x, t)], -1) for t in (0, 1)]
    return dict(img=imgs, img_path=['a.png', 'b.png'], ori_shape=(40, 60))


def test_crop_cuts_one_window_at_random_places(pair):
    corners = set()
    for seed in range(20):
        np.random.seed(seed)
        results = RandomCropPair((16, 24))(dict(pair))
        first, second = results['img']
        assert first.shape == (16, 24, 3)
        assert results['img_shape'] == (16, 24)
        np.testing.assert_array_equal(first[..., :2], second[..., :2])
        assert (first[..., 2] == 0).all() and (second[..., 2] == 1).all()
        top, left = map(int, first[0, 0, :2])
        assert top <= 24 and left <= 36
        corners.add((top, left))
    assert len(corners) > 10
    # The whole frame is a window too.
    whole = RandomCropPair((40, 60))(dict(pair))['img'][0]
    np.testing.assert_array_equal(whole, pair['img'][0])


def test_windows_are_at_most_the_offset_apart(pair):
    offsets = set()
    for seed in range(40):
        np.random.seed(seed)
        first, second = RandomCropPair((16, 24), 3)(dict(pair))['img']
        assert first.shape == second.shape == (16, 24, 3)
        apart = second[0, 0, :2].astype(int) - first[0, 0, :2]
        offsets |= {tuple(apart.tolist())}
    assert {abs(a) for offset in offsets for a in offset} == {0, 1, 2, 3}


def test_crop_larger_than_the_frame_names_the_file(pair):
    with pytest.raises(ValueError, match='a.png.* 40 x 60 .* 64 x 32'):
        RandomCropPair((64, 32))(pair)
    with pytest.raises(ValueError, match=r'\(height, width\)'):
        RandomCropPair((64,))


def test_flips_are_shared_and_have_their_probabilities(pair):
    y, x = pair['img'][0][..., 0], pair['img'][0][..., 1]
    both = RandomFlipPair(horizontal=1, vertical=1)(dict(pair))['img']
    for img in both:
        np.testing.assert_array_equal(img[..., 0], y[::-1])
        np.testing.assert_array_equal(img[..., 1], x[:, ::-1])
    np.random.seed(0)
    flip = RandomFlipPair(horizontal=0.25)
    flipped = 0
    for _ in range(200):
        first, second = flip(dict(pair))['img']
        np.testing.assert_array_equal(first[..., :2], second[..., :2])
        np.testing.assert_array_equal(first[..., 0], y)
        flipped += first[0, 0, 1] == 59
    assert 30 < flipped < 70


@pytest.mark.parametrize(
    'short_side, shape', [(20, (20, 30)), (50, (50, 75)), (40, (40, 60))]
)
def test_resize_keeps_the_ratio_and_the_content(pair, short_side, shape):
    results = ResizePair(short_side)(dict(pair))
    assert results['img_shape'] == shape
    for img in results['img']:
        assert img.shape[:2] == shape
        assert abs(img[..., 0].mean() - 19.5) < 0.6
        assert abs(img[..., 1].mean() - 29.5) < 0.6
        assert img[0, -1, 1] > 57 and img[-1, 0, 0] > 37


def test_pack_makes_a_sample(pair):
    pair.update(sample_idx=3, img=[i[:, ::-1] for i in pair['img']])
    sample = PackViews()(pair)
    assert sample['inputs'].shape == (2, 3, 40, 60)
    assert sample['inputs'].dtype == torch.uint8
    assert sample['inputs'][1, 2].eq(1).all()
    assert sample['inputs'][0, 1, 0, 0] == 59
    assert sample['data_samples'].sample_idx == 3
    assert sample['data_samples'].img_path == ['a.png', 'b.png']
