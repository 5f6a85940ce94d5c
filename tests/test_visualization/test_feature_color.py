import numpy as np
import pytest

from mcjepa_mm.visualization import features_to_rgb
from mcjepa_mm.visualization.feature_color import features_of, fit_colors


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


def test_components_are_those_of_singular_values():
    rng = np.random.default_rng(2)
    mix = rng.normal(size=(5, 5))
    points = rng.normal(3e5, 2, size=(200, 5)) @ mix
    colors = fit_colors(points)
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
    colors = fit_colors(
        np.concatenate([features_of(first), features_of(second)])
    )
    same = first.copy()
    same[:, 0, 0] = second[:, 1, 1]
    assert (colors(same)[0, 0] == colors(second)[1, 1]).all()
    # by themselves they do not: here the second channel is no difference
    assert (features_to_rgb(first) == features_to_rgb(second)[::-1]).all()
    assert (colors(first) != colors(second)[::-1]).any()
