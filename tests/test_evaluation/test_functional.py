import math

import numpy as np
import pytest
import torch

from mcjepa_mm.evaluation.functional import (
    embedding_std,
    endpoint_error,
    endpoint_error_map,
    rank_me,
    rms_correlation,
)


def test_endpoint_error_by_hand():
    gt = torch.zeros(1, 2, 1, 3)
    pred = torch.zeros(1, 2, 1, 3)
    pred[0, :, 0, 0] = torch.tensor([3.0, 4.0])
    pred[0, :, 0, 1] = torch.tensor([0.0, -1.0])
    gt[0, 0, 0, 2] = float('nan')
    valid = torch.tensor([[[[1.0, 1.0, 0.0]]]])
    assert endpoint_error_map(pred, gt)[0, 0, :2].tolist() == [5.0, 1.0]
    assert endpoint_error(pred, gt, valid).item() == 3
    assert endpoint_error(pred, gt).isnan()


def test_endpoint_error_refuses_shapes():
    flow = torch.zeros(2, 2, 4, 5)
    with pytest.raises(ValueError, match=r'\(2, 2, 4, 5\)'):
        endpoint_error(flow, flow[..., :4])
    with pytest.raises(ValueError, match='validity'):
        endpoint_error(flow, flow, torch.ones(1, 4, 5))


def test_embedding_std_by_hand():
    z = torch.tensor([[0.0, 5.0], [2.0, 5.0]])
    # dimension 0: mean 1, variance (1 + 1) / (2 - 1); dimension 1: 0
    assert embedding_std(z) == pytest.approx(math.sqrt(2) / 2)
    assert embedding_std(torch.full((9, 3), 0.3)) < 1e-7
    with pytest.raises(ValueError, match='at least 2'):
        embedding_std(z[:1])


def test_rank_me():
    line = torch.arange(1.0, 7.0)[:, None] * torch.tensor([1.0, -2.0, 3.0])
    assert rank_me(line) == pytest.approx(1, abs=1e-4)
    assert rank_me(torch.eye(4)) == pytest.approx(4, abs=1e-4)
    # singular values 3 and 1: p = 3/4, 1/4
    expected = math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    z = torch.diag(torch.tensor([3.0, 1.0]))
    assert rank_me(z) == pytest.approx(expected, abs=1e-4)
    assert rank_me(torch.zeros(4, 3)) == 1


@pytest.mark.parametrize('shape', [(40, 6), (7, 30)])
def test_rms_correlation(shape):
    z = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    z = z * torch.arange(1.0, shape[1] + 1) + 3 + z[:, :1]
    correlation = np.corrcoef(z.double().numpy().T)
    others = correlation[~np.eye(shape[1], dtype=bool)]
    expected = math.sqrt((others**2).mean())
    assert rms_correlation(z) == pytest.approx(expected, rel=1e-9)
    # A dimension that does not vary has no correlation to count.
    with_constant = torch.cat([z, torch.full((shape[0], 1), 2.0)], dim=1)
    assert rms_correlation(with_constant) == pytest.approx(expected)


def test_rms_correlation_where_nothing_differs():
    line = torch.arange(5.0)[:, None] * torch.tensor([1.0, -2.0])
    assert rms_correlation(line) == pytest.approx(1)
    assert rms_correlation(torch.full((5, 3), 0.25)) == 1
    with pytest.raises(ValueError, match='at least 2'):
        rms_correlation(line[:1])
