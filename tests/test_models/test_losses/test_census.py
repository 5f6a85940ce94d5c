import numpy as np
import pytest
import torch

from mcjepa_mm.models.losses import census_distance, census_loss


def census_loops(x, y, window):
    """The soft Hamming distance, pixel by pixel and neighbour by neighbour."""
    r = window // 2
    luma = np.array([0.2989, 0.5870, 0.1140]).reshape(1, 3, 1, 1) * 255
    gx, gy = (x * luma).sum(1), (y * luma).sum(1)
    batch, height, width = gx.shape
    out = np.zeros((batch, 1, height - 2 * r, width - 2 * r))
    for n in range(batch):
        for i in range(r, height - r):
            for j in range(r, width - r):
                for u in range(i - r, i + r + 1):
                    for v in range(j - r, j + r + 1):
                        a = gx[n, u, v] - gx[n, i, j]
                        b = gy[n, u, v] - gy[n, i, j]
                        d = (
                            a / np.sqrt(0.81 + a * a)
                            - b / np.sqrt(0.81 + b * b)
                        ) ** 2
                        out[n, 0, i - r, j - r] += d / (0.1 + d)
    return out


def images(height=9, width=11):
    generator = torch.Generator().manual_seed(0)
    shape = (2, 2, 3, height, width)
    x, y = torch.rand(shape, generator=generator, dtype=torch.float64).unbind()
    # Little contrast, so that the soft sign is not saturated everywhere.
    return 0.02 * x, 0.02 * y


@pytest.mark.parametrize('window', [3, 5, 7])
def test_distance_equals_loops(window):
    x, y = images()
    out = census_distance(x, y, window=window)
    expected = census_loops(x.numpy(), y.numpy(), window)
    np.testing.assert_allclose(out.numpy(), expected, atol=1e-10)


def test_loss_equals_formula_and_leaves_the_border_out():
    x, y = images()
    mask = torch.rand(2, 1, 9, 11, dtype=torch.float64)
    inner = mask.numpy()[:, :, 2:-2, 2:-2]
    robust = (census_loops(x.numpy(), y.numpy(), 5) + 0.01) ** 0.4
    expected = (robust * inner).sum() / inner.sum()
    out = census_loss(x, y, mask, window=5)
    assert out.item() == pytest.approx(expected, abs=1e-10)


def test_brightness_offset_is_free():
    x, y = images()
    mask = torch.ones(2, 1, 9, 11)
    assert census_loss(x, x + 0.3, mask).item() == pytest.approx(0.01**0.4)
    assert census_loss(x, y, mask) > 1


def test_gradcheck():
    x, y = images(4, 5)
    y = y[:1].requires_grad_()
    mask = torch.rand(1, 1, 4, 5, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda w: census_loss(x[:1], w, mask, window=3), [y]
    )


@pytest.mark.parametrize('window', [1, 4, 11])
def test_window_is_refused(window):
    x, y = images()
    with pytest.raises(ValueError, match=f'window={window}.* 9 x 11'):
        census_distance(x, y, window=window)


def test_gray_images_are_refused():
    with pytest.raises(ValueError, match=r'RGB.*\(1, 1, 8, 8\)'):
        census_distance(torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8))
