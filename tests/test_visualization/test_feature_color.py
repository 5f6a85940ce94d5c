import numpy as np
import pytest

from mcjepa_mm.visualization import features_to_rgb
from mcjepa_mm.visualization.feature_color import FeatureStatistics


def test_known_components():
    # Three independent patterns of falling variance along random axes.
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(3, 400))
    patterns = np.linalg.qr((patterns - patterns.mean(1, keepdims=True)).T)[0]
    axes = np.linalg.qr(rng.normal(size=(8, 3)))[0]
    feat = axes * [9, 5, 2] @ patterns.T + rng.normal(size=(8, 1))
    rgb = features_to_rgb(feat.reshape(8, 20, 20)).reshape(400, 3)
    for i in range(3):
        expected = patterns[:, i] * np.sign(
            axes[np.abs(axes[:, i]).argmax(), i]
        )
        assert np.corrcoef(rgb[:, i], expected)[0, 1] > 0.99
    assert rgb.min() == 0 and rgb.max() == 255


def test_sign_does_not_flip_under_noise():
    rng = np.random.default_rng(1)
    feat = np.array([3.0, 2, 1.2, 1])[:, None, None] * rng.normal(
        size=(4, 16, 16)
    )
    expected = features_to_rgb(feat).astype(float)
    for _ in range(20):
        noisy = feat + 1e-3 * rng.normal(size=feat.shape)
        assert np.abs(features_to_rgb(noisy) - expected).mean() < 3


def test_degenerate_features():
    assert (features_to_rgb(np.full((5, 4, 6), 1 / 3)) == 128).all()
    rgb = features_to_rgb(np.arange(24.0).reshape(1, 4, 6))
    assert np.ptp(rgb[..., 0]) == 255 and (rgb[..., 1:] == 128).all()


def test_refuses():
    with pytest.raises(ValueError, match=r'\(4, 5\)'):
        features_to_rgb(np.zeros((4, 5)))
    with pytest.raises(ValueError, match='NaN'):
        features_to_rgb(np.full((3, 4, 5), np.nan))


def test_two_halves_have_two_colours_at_their_places():
    feat = np.zeros((4, 2, 6))
    feat[:, :, :2] = np.array([3, 0, 0, 1.0])[:, None, None]
    feat[:, :, 2:] = np.array([0, 0, 0, 1.0])[:, None, None]
    # One component, (1, 0, 0, 0): full where it is 3, black where it is 0.
    rgb = features_to_rgb(feat)
    assert (rgb[:, :2] == (255, 128, 128)).all()
    assert (rgb[:, 2:] == (0, 128, 128)).all()


def maps(number, channels=5):
    """Maps of different sizes, means and ranges."""
    rng = np.random.default_rng(2)
    mix = rng.normal(size=(channels, channels))
    return [
        (np.tensordot(mix, rng.normal(i, 1 + i, (channels, 4 + i, 7)), 1))
        for i in range(number)
    ]


def test_statistics_of_many_maps_are_those_of_all_their_features():
    statistics = FeatureStatistics()
    for feat in maps(4):
        statistics.add(feat)
    colors = statistics.colors()
    # by singular values of everything at once
    points = np.concatenate([x.reshape(5, -1).T for x in maps(4)])
    centred = points - points.mean(0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    assert np.allclose(colors.mean, points.mean(0))
    assert np.allclose(np.abs(colors.axes.T), np.abs(axes[:3]))
    share = (values[:3] ** 2).sum() / (values**2).sum()
    assert colors.share == pytest.approx(share)
    low, high = np.percentile(centred @ colors.axes, (1, 99), axis=0)
    assert np.allclose([colors.low, colors.high], [low, high])


def test_shared_colours_mean_the_same_in_every_map():
    first, second = np.zeros((3, 2, 2)), np.zeros((3, 2, 2))
    first[0, 0], second[0, 1], second[1] = 1, 1, 0.5
    statistics = FeatureStatistics()
    for feat in (first, second):
        statistics.add(feat)
    colors = statistics.colors()
    same = first.copy()
    same[:, 0, 0] = second[:, 1, 1]
    assert (colors(same)[0, 0] == colors(second)[1, 1]).all()
    # by themselves they do not: here the second channel is no difference
    assert (features_to_rgb(first) == features_to_rgb(second)[::-1]).all()
    assert (colors(first) != colors(second)[::-1]).any()


def test_a_sample_is_bounded_and_of_all_maps():
    statistics = FeatureStatistics(max_sample=300)
    for value in range(10):
        statistics.add(np.full((1, 20, 20), float(value)))
    assert len(statistics._sample) == 300
    # 300 of 10 values that are equally frequent: each about 30 times
    counts = np.bincount(statistics._sample[:, 0].astype(int))
    assert len(counts) == 10 and counts.min() > 10
    colors = statistics.colors()
    assert colors.mean.tolist() == pytest.approx([4.5])
    assert colors.high - colors.low == pytest.approx(9)


def test_small_variance_about_a_large_mean():
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(2, 30, 30)) * np.array([2, 1])[:, None, None]
    statistics = FeatureStatistics()
    for rows in np.split(noise, 3, axis=1):
        statistics.add(rows + 3e5)
    centred = noise - noise.mean((1, 2), keepdims=True)
    expected = np.cov(centred.reshape(2, -1), bias=True) * 900
    assert np.allclose(statistics._scatter, expected, rtol=1e-6)


def test_statistics_refuse():
    with pytest.raises(ValueError, match='at least one feature map'):
        FeatureStatistics().colors()
    statistics = FeatureStatistics()
    statistics.add(np.zeros((3, 2, 2)))
    with pytest.raises(ValueError, match='of 3 channels as before, got 4'):
        statistics.add(np.zeros((4, 2, 2)))
