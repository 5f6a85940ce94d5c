import numpy as np
import pytest
import torch

from mcjepa_mm.datasets.transforms import (
    PackViews,
    RandomCameraPair,
    RandomCropPair,
    RandomFlipPair,
    ResizePair,
    TransformEachFrame,
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


def test_camera_without_strength_changes_nothing(pair):
    before = [img.copy() for img in pair['img']]
    camera = RandomCameraPair(exposure=0, gamma=0, change=0, blur=0, noise=0)
    after = camera.transform(pair)['img']
    assert all(np.array_equal(a, b) for a, b in zip(before, after))


def test_camera_has_its_exposure_gamma_and_noise():
    """Grey frames: level, difference between frames and noise are known."""
    np.random.seed(0)
    grey = np.full((64, 64, 3), 128, np.uint8)

    def frames(**strengths):
        zero = dict(exposure=0, gamma=0, change=0, blur=0, noise=0)
        camera = RandomCameraPair(**zero | strengths)
        found = [
            camera.transform(dict(img=[grey] * 2))['img'] for _ in 'x' * 50
        ]
        return np.array(found).astype(float)

    exposed = frames(exposure=0.2)
    assert np.array_equal(exposed[:, 0], exposed[:, 1])  # one for the pair
    assert np.abs(np.log(exposed / 128)).max() <= 0.2 + 1 / 100
    assert np.log(exposed / 128).std() == pytest.approx(0.2 / 3**0.5, rel=0.3)

    exponent = np.log(frames(gamma=0.3) / 255) / np.log(128 / 255)
    assert np.abs(np.log(exponent)).max() <= 0.3 + 1 / 50

    light = frames(change=0.1)
    assert (light[:, 0] != light[:, 1]).any()

    noisy = frames(noise=6).std((2, 3, 4))
    assert noisy.min() >= 0 and noisy.max() < 6.3
    assert noisy[:, 0] == pytest.approx(noisy[:, 1], abs=0.5)


def test_camera_blurs_both_alike():
    np.random.seed(0)
    board = np.indices((32, 32)).sum(0) % 2 * 200
    board = np.repeat(board[..., None], 3, 2).astype(np.uint8)
    camera = RandomCameraPair(exposure=0, gamma=0, change=0, blur=2, noise=0)
    spread = []
    for _ in range(20):
        first, second = camera.transform(dict(img=[board] * 2))['img']
        assert np.array_equal(first, second)
        assert first.mean() == pytest.approx(100, abs=1)
        spread.append(first.std())
    assert min(spread) < 10
    assert max(spread) > 30


def test_each_frame_has_its_own_transforms(pair):
    image = [
        dict(type='mmpretrain.NumpyToPIL', to_rgb=True),
        dict(type='mmpretrain.PILToNumpy'),
    ]
    inverted = [*image, dict(type='mmpretrain.Solarize', thr=0, prob=1.0)]
    first, second = TransformEachFrame([image, inverted])(dict(pair))['img']
    np.testing.assert_array_equal(first, pair['img'][0])  # RGB as before
    np.testing.assert_array_equal(second, 255 - pair['img'][1])


def test_each_frame_is_cropped_at_its_own_place(pair):
    crop = [
        dict(type='mmpretrain.NumpyToPIL', to_rgb=True),
        dict(type='mmpretrain.torchvision/RandomCrop', size=(16, 24)),
        dict(type='mmpretrain.PILToNumpy'),
    ]
    offsets = set()
    for seed in range(20):
        torch.manual_seed(seed)
        results = TransformEachFrame([crop, crop])(dict(pair))
        first, second = results['img']
        assert first.shape == second.shape == (16, 24, 3)
        assert results['img_shape'] == (16, 24)
        assert (first[..., 2] == 0).all() and (second[..., 2] == 1).all()
        apart = second[0, 0, :2].astype(int) - first[0, 0, :2]
        offsets |= {tuple(apart.tolist())}
    assert len(offsets) > 10
