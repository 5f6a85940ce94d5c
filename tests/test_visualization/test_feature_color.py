import numpy as np
import pytest

from mcjepa_mm.visualization import features_to_rgb


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
