import numpy as np
import pytest

from mcjepa_mm.datasets.embedded_world.textures import (
    BAND,
    SpectralNoise,
    Texture,
)


@pytest.fixture
def waves():
    rng = np.random.default_rng(0)
    return SpectralNoise(rng, Texture.OCTAVES, Texture.COUNTS, Texture.FIELDS)


@pytest.mark.parametrize('count', [0, 1, BAND - 1, BAND, 3 * BAND + 7])
def test_sum_of_sinusoids_at_any_number_of_points(waves, count):
    points = np.ones((3, count), np.float32)
    points[:2] = np.random.default_rng(1).uniform(-60, 60, (2, count))
    expected = np.zeros((5, count))
    for wave, amplitude in zip(waves._wave, waves._amplitude.T):
        angle = (wave.astype(float)[:, None] * points).sum(0)
        expected += amplitude[:, None] * np.sin(angle)
    fields = waves(points)
    assert fields.shape == (5, count) and fields.dtype == np.float32
    np.testing.assert_allclose(fields, expected, atol=2e-4)


def test_matrix_products_are_too_small_for_threads():
    """See BAND: what OpenBLAS multiplies by one thread."""
    assert sum(Texture.COUNTS) * Texture.FIELDS.shape[1] * BAND <= 262144
