import numpy as np
import pytest
import torch

from mcjepa_mm.models.losses import FeatureVCLoss, sample_positions
from mcjepa_mm.registry import MODELS


def level_loops(feat):
    """Variance hinge and covariance with positions as samples, by hand."""
    n, dims, height, width = feat.shape
    samples = np.array(
        [
            feat[b, :, i, j]
            for b in range(n)
            for i in range(height)
            for j in range(width)
        ]
    )
    cov = np.cov(samples, rowvar=False)
    spread = np.mean([max(0.0, 1 - np.sqrt(v + 1e-4)) for v in np.diag(cov)])
    off = sum(
        cov[j, k] ** 2 for j in range(dims) for k in range(dims) if j != k
    )
    return spread, off / dims


def pyramid():
    generator = torch.Generator().manual_seed(0)
    return [
        0.7 * torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in [(2, 3, 4, 5), (2, 4, 2, 3), (2, 6, 1, 2)]
    ]


def test_equals_loops_with_one_weight_per_level():
    feats = pyramid()
    weights = dict(variance=(0.5, 0.0, 2.0), covariance=(0.0, 3.0, 0.1))
    terms = MODELS.build(
        dict(type='FeatureVCLoss', loss_weight=2.0, **weights)
    )(feats)
    levels = [level_loops(feat.numpy()) for feat in feats]
    for i, name in enumerate(['variance', 'covariance']):
        expected = 2 * sum(
            w * level[i] for w, level in zip(weights[name], levels)
        )
        assert terms[name].item() == pytest.approx(expected)


def test_the_mean_of_the_samples_is_penalised():
    feats = [feat + 0.5 for feat in pyramid()]
    zeros, weights = (0.0, 0.0, 0.0), (0.0, 3.0, 0.1)
    loss = FeatureVCLoss(zeros, zeros, mean=weights, loss_weight=2.0)
    expected = 2 * sum(
        w * np.mean(feat.numpy().mean(axis=(0, 2, 3)) ** 2)
        for w, feat in zip(weights, feats)
    )
    assert loss(feats)['mean'].item() == pytest.approx(expected)
    assert 'mean' not in FeatureVCLoss((1.0,) * 3, (1.0,) * 3)(feats)


def test_defaults_are_the_papers_numbers_fine_to_coarse():
    loss = FeatureVCLoss()
    assert loss.variance[::-1] == (0.01, 0.01, 0.01, 0.01, 0.001, 0.0001)
    assert loss.covariance[::-1] == (0.04, 0.04, 0.001, 0, 0, 0)


def test_gradcheck():
    ones = (1.0, 1.0, 1.0)
    loss = FeatureVCLoss(ones, ones, mean=ones)
    feats = [feat.requires_grad_() for feat in pyramid()]
    assert torch.autograd.gradcheck(
        lambda *feats: tuple(loss(feats).values()), feats
    )


def test_level_without_weights_is_not_touched():
    feats = pyramid()
    feats[1] = torch.full_like(feats[1], float('nan'))
    terms = FeatureVCLoss((1.0, 0.0, 1.0), (1.0, 0.0, 1.0))(feats)
    assert all(term.isfinite() for term in terms.values())


def test_each_map_takes_the_next_positions_of_the_order():
    place = torch.arange(2 * 4 * 5.0).view(2, 1, 4, 5)
    feat = torch.cat([place, place + 100], dim=1)
    order = torch.arange(20).flip(0)
    samples = sample_positions(feat, order, 6, torch.tensor([2, 3]))
    assert torch.equal(samples[:, 1], samples[:, 0] + 100)
    # entries 12 to 17 of the order, then 18 and 19 and on from its start
    assert samples[:6, 0].tolist() == [7, 6, 5, 4, 3, 2]
    assert (samples[6:, 0] - 20).tolist() == [1, 0, 19, 18, 17, 16]


def test_a_maps_samples_do_not_depend_on_the_others():
    feat, order = torch.rand(3, 2, 4, 5), torch.randperm(20)
    whole = sample_positions(feat, order, 8, torch.tensor([0, 1, 2]))
    alone = sample_positions(feat[1:2], order, 8, torch.tensor([1]))
    assert torch.equal(whole[8:16], alone)


def test_positions_are_drawn_anew():
    loss = FeatureVCLoss((1.0,), (0.0,), max_samples=2, gamma=100.0)
    feat = torch.rand(1, 1, 8, 8)
    assert len({loss([feat])['variance'].item() for _ in range(5)}) > 1


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match='2, 3 and 2 weights'):
        FeatureVCLoss((1.0, 1.0), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match='2, 2 and 1 weights'):
        FeatureVCLoss((1.0, 1.0), (1.0, 1.0), mean=(1.0,))
    with pytest.raises(ValueError, match='all weights are 0'):
        FeatureVCLoss((0.0, 0.0), (0.0, 0.0))
    with pytest.raises(ValueError, match='at least 2, got 1'):
        FeatureVCLoss(max_samples=1)
    with pytest.raises(ValueError, match='6 levels have weights, got 3'):
        FeatureVCLoss()(pyramid())
    with pytest.raises(ValueError, match=r'2 samples.*\(1, 3\)'):
        FeatureVCLoss((1.0,), (1.0,))([torch.rand(1, 3, 1, 1)])
