"""The content task."""

import pytest
import torch
from mmengine.structures import BaseDataElement
from torch import nn

from mcjepa_mm.models.heads import VICRegHead
from mcjepa_mm.models.heads.vicreg_head import GlobalBatchNorm1d


def build(norm='LN', **kwargs):
    torch.manual_seed(0)
    return VICRegHead(6, (10, 12, 8), norm=norm, **kwargs)


def test_expander_layout():
    """(Linear, BN, ReLU) twice, then a Linear without bias."""
    kinds = [type(m) for m in build('BN').expander]
    assert kinds == [nn.Linear, GlobalBatchNorm1d, nn.ReLU] * 2 + [nn.Linear]
    last = build('LN').expander[-1]
    assert last.bias is None and last.weight.shape == (8, 12)


def test_loss_equals_the_formula():
    """Mean of the map, expander, 25 / 25 / 1, written out in float64."""
    head = build().double()
    feats = torch.randn(8, 6, 3, 2, dtype=torch.float64)
    inputs = torch.zeros(4, 2, 3, 16, 16)
    terms = head.loss((feats,), inputs)

    z = head.expander(feats.flatten(2).mean(2))
    z1, z2 = z[0::2], z[1::2]  # sample-major: view 1, view 2, view 1, ...
    spread = cross = 0
    for z_view in (z1, z2):
        centred = z_view - z_view.sum(0) / 4
        c = centred.T @ centred / 3
        spread += (1 - (c.diag() + 1e-4).sqrt()).clamp(min=0).mean() / 2
        cross += (c.square().sum() - c.diag().square().sum()) / 8
    expected = dict(
        invariance=25 * ((z1 - z2) ** 2).sum() / 32,
        variance=25 * spread,
        covariance=cross,
    )
    assert set(terms) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value)


def test_batch_norm_sees_one_view_at_a_time():
    """A shift of all second views does not reach the expander's output."""
    head = build('BN').double().train()
    feats = torch.randn(8, 6, 2, 2, dtype=torch.float64)
    shifted = feats.clone()
    shifted[1::2] += 5.0
    inputs = torch.zeros(4, 2, 3, 16, 16)
    for name, term in head.loss((feats,), inputs).items():
        torch.testing.assert_close(head.loss((shifted,), inputs)[name], term)


def test_views_are_checked():
    with pytest.raises(ValueError, match=r'2, 3, H, W.*\(4, 3, 3, 16, 16\)'):
        build().loss((torch.randn(12, 6, 2, 2),), torch.zeros(4, 3, 3, 16, 16))


@pytest.mark.parametrize('norm', ['BN', 'LN'])
def test_one_image_is_refused(norm):
    with pytest.raises(ValueError, match='at least 2|batch_size'):
        build(norm).loss(
            (torch.randn(2, 6, 2, 2),), torch.zeros(1, 2, 3, 16, 16)
        )


def test_unknown_norm():
    with pytest.raises(ValueError, match="'GN'"):
        build('GN')


def test_predict():
    head = build().eval()
    feats = torch.randn(3, 6, 2, 2)
    samples = [BaseDataElement(metainfo=dict(i=i)) for i in range(3)]
    results = head.predict((feats,), torch.zeros(3, 1, 3, 16, 16), samples)
    for i, sample in enumerate(results):
        assert sample.i == i
        torch.testing.assert_close(sample.embedding, feats[i].mean((1, 2)))
        torch.testing.assert_close(
            sample.projection, head.expander(feats[i].mean((1, 2))[None])[0]
        )
