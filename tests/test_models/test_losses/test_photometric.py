import numpy as np
import pytest
import torch

from mcjepa_mm.models.losses import (
    PhotometricLoss,
    census_loss,
    photometric_loss,
    ssim_distance,
)
from mcjepa_mm.registry import MODELS


def ssim_distance_loops(x, y, window):
    """(1 - SSIM) / 2 with a box window and mirrored borders, by hand."""
    r = window // 2
    out = np.zeros_like(x)
    pad = [(r, r), (r, r)]
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            px = np.pad(x[n, c], pad, mode='reflect')
            py = np.pad(y[n, c], pad, mode='reflect')
            for i in range(x.shape[2]):
                for j in range(x.shape[3]):
                    a = px[i : i + window, j : j + window].ravel()
                    b = py[i : i + window, j : j + window].ravel()
                    ma, mb = a.mean(), b.mean()
                    cov = ((a - ma) * (b - mb)).mean()
                    ssim = (
                        (2 * ma * mb + 1e-4)
                        * (2 * cov + 9e-4)
                        / ((ma**2 + mb**2 + 1e-4) * (a.var() + b.var() + 9e-4))
                    )
                    out[n, c, i, j] = (1 - ssim) / 2
    return out


def images(size=(2, 3, 6, 7), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(
        2, *size, generator=generator, dtype=torch.float64
    ).unbind()


@pytest.mark.parametrize('window', [3, 5])
def test_ssim_equals_loops(window):
    x, y = images()
    expected = ssim_distance_loops(x.numpy(), y.numpy(), window)
    out = ssim_distance(x, y, window=window)
    np.testing.assert_allclose(out.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize('window', [2, 15])
def test_ssim_window_is_refused(window):
    x, y = images()
    with pytest.raises(ValueError, match=f'window={window}'):
        ssim_distance(x, y, window=window)


def test_photometric_equals_formula():
    x, y = images()
    mask = torch.rand(2, 1, 6, 7, dtype=torch.float64)
    a, b, m = x.numpy(), y.numpy(), mask.numpy()
    error = (
        0.7 * abs(a - b)
        + 0.2 * (a - b) ** 2
        + 0.9 * ssim_distance_loops(a, b, 3)
    )
    expected = (error * m).sum() / (3 * m.sum())
    out = photometric_loss(x, y, mask, l1=0.7, l2=0.2, ssim=0.9)
    assert out.item() == pytest.approx(expected, abs=1e-12)


def test_gradcheck():
    x, y = images((1, 3, 5, 4))
    mask = torch.rand(1, 1, 5, 4, dtype=torch.float64)
    y.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda w: photometric_loss(x, w, mask, census=0.5, census_window=3),
        [y],
    )


def test_occluded_colours_do_not_count():
    # SSIM looks one pixel past the mask, so a hole of 3 x 3 hides its centre.
    x, y = images()
    mask = torch.ones(2, 1, 6, 7)
    mask[..., 1:4, 1:4] = 0
    changed = y.clone()
    changed[..., 2, 2] = 0.5
    assert not torch.equal(y, changed)
    assert torch.equal(
        photometric_loss(x, y, mask), photometric_loss(x, changed, mask)
    )


def test_module_weighs_what_its_attributes_say():
    loss = MODELS.build(dict(type='PhotometricLoss', loss_weight=2.0))
    assert isinstance(loss, PhotometricLoss)
    x, y = images((1, 3, 9, 8))
    mask = torch.ones(1, 1, 9, 8)
    loss.l1, loss.l2, loss.ssim, loss.census = 0.0, 0.0, 0.0, 3.0
    torch.testing.assert_close(
        loss(x, y, mask), 6 * census_loss(x, y, mask, window=7)
    )
    loss.l1, loss.census = 1.0, 0.0
    torch.testing.assert_close(loss(x, y, mask), 2 * (x - y).abs().mean())


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r'\(1, 3, 8, 8\) and \(1, 3, 4, 4\)'):
        photometric_loss(
            torch.rand(1, 3, 8, 8),
            torch.rand(1, 3, 4, 4),
            torch.ones(1, 1, 8, 8),
        )
