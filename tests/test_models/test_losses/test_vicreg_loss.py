import numpy as np
import pytest
import torch

from mcjepa_mm.models.losses import (
    covariance_loss,
    invariance_loss,
    variance_loss,
)
from mcjepa_mm.registry import MODELS


def vicreg_loops(z1, z2):
    """The official code's three terms, written out in float64."""
    n, dims = z1.shape
    same = ((z1 - z2) ** 2).sum() / (n * dims)
    spread, correlation = [], []
    for z in (z1, z2):
        mean = [sum(z[:, j]) / n for j in range(dims)]
        cov = np.zeros((dims, dims))
        for j in range(dims):
            for k in range(dims):
                cov[j, k] = sum(
                    (z[i, j] - mean[j]) * (z[i, k] - mean[k]) for i in range(n)
                ) / (n - 1)
        spread.append(
            sum(max(0.0, 1 - np.sqrt(cov[j, j] + 1e-4)) for j in range(dims))
            / dims
        )
        correlation.append(
            sum(
                cov[j, k] ** 2
                for j in range(dims)
                for k in range(dims)
                if j != k
            )
            / dims
        )
    return same, sum(spread) / 2, sum(correlation)


def views(n, dims):
    generator = torch.Generator().manual_seed(n + dims)
    scale = torch.linspace(0.2, 2.0, dims, dtype=torch.float64)
    z = torch.randn(2, n, dims, generator=generator, dtype=torch.float64)
    return (z * scale + 3).unbind()


@pytest.mark.parametrize('n, dims', [(7, 4), (5, 5), (4, 9), (2, 3)])
def test_loss_equals_loops(n, dims):
    z1, z2 = views(n, dims)
    terms = MODELS.build(dict(type='VICRegLoss'))(z1, z2)
    expected = vicreg_loops(z1.numpy(), z2.numpy())
    assert terms['invariance'].item() == pytest.approx(25 * expected[0])
    assert terms['variance'].item() == pytest.approx(25 * expected[1])
    assert terms['covariance'].item() == pytest.approx(expected[2])


def test_hand_worked():
    # Two samples, two dimensions: variances 2 and 0.02, covariance 0.2.
    z = torch.tensor([[0.0, 0.0], [2.0, 0.2]], dtype=torch.float64)
    assert covariance_loss(z).item() == pytest.approx(2 * 0.2**2 / 2)
    expected = (1 - (0.02 + 1e-4) ** 0.5) / 2
    assert variance_loss(z).item() == pytest.approx(expected)
    assert variance_loss(z, gamma=2.0, eps=0.0).item() == pytest.approx(
        (2 - 2**0.5 + 2 - 0.02**0.5) / 2
    )
    assert invariance_loss(z, z + 3).item() == pytest.approx(9)


@pytest.mark.parametrize('n, dims', [(6, 3), (3, 6)])
def test_gradcheck(n, dims):
    loss = MODELS.build(dict(type='VICRegLoss'))
    z1, z2 = [z.requires_grad_() for z in views(n, dims)]
    assert torch.autograd.gradcheck(
        lambda a, b: tuple(loss(a, b).values()), [z1, z2]
    )


def test_gram_is_accurate_in_float32():
    z = views(32, 2048)[0]
    assert covariance_loss(z.float()).item() == pytest.approx(
        covariance_loss(z).item(), rel=1e-4
    )


def test_attributes_weigh_the_terms():
    loss = MODELS.build(dict(type='VICRegLoss'))
    z1, z2 = views(7, 4)
    before = loss(z1, z2)
    loss.invariance, loss.variance, loss.covariance = 50.0, 12.5, 3.0
    after = loss(z1, z2)
    for name, factor in dict(invariance=2, variance=0.5, covariance=3).items():
        torch.testing.assert_close(after[name], factor * before[name])


def test_collapse_is_seen_and_has_a_finite_gradient():
    z = torch.ones(8, 16, requires_grad=True)
    terms = MODELS.build(dict(type='VICRegLoss'))(z, z)
    sum(terms.values()).backward()
    assert terms['variance'].item() == pytest.approx(25 * 0.99)
    assert z.grad.isfinite().all()


def test_bad_input_is_refused():
    loss = MODELS.build(dict(type='VICRegLoss'))
    one = torch.rand(1, 8)
    with pytest.raises(ValueError, match=r'2 samples.*\(1, 8\).*batch size'):
        loss(one, one)
    with pytest.raises(ValueError, match=r'\(4, 8\) and \(3, 8\)'):
        loss(torch.rand(4, 8), torch.rand(3, 8))
