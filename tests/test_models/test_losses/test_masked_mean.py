import pytest
import torch

from mcjepa_mm.models.losses import masked_mean
from mcjepa_mm.models.precision import full_precision


def test_hand_worked():
    error = torch.tensor(
        [[[[1.0, 2.0], [3.0, 40.0]], [[5.0, 6.0], [7.0, 80.0]]]]
    )
    mask = torch.tensor([[[[1.0, 0.5], [0.0, 0.0]]]])
    # (1 + 5 + 0.5 * (2 + 6)) / (2 channels * 1.5 pixels)
    assert masked_mean(error, mask).item() == pytest.approx(10 / 3)


def test_nothing_visible_is_zero_with_zero_gradient():
    error = torch.rand(2, 3, 4, 5, requires_grad=True)
    loss = masked_mean(error, torch.zeros(2, 1, 4, 5))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(error.grad, torch.zeros_like(error))


def test_mask_gets_no_gradient():
    mask = torch.rand(1, 1, 4, 5, requires_grad=True)
    error = torch.rand(1, 3, 4, 5, requires_grad=True)
    masked_mean(error, mask).backward()
    assert mask.grad is None and error.grad.abs().sum() > 0


def test_bool_mask_counts_as_ones():
    error = torch.rand(2, 3, 4, 5)
    mask = torch.rand(2, 1, 4, 5) > 0.5
    torch.testing.assert_close(
        masked_mean(error, mask), masked_mean(error, mask.float())
    )


@pytest.mark.parametrize('shape', [(2, 3, 4, 5), (2, 1, 4, 4), (1, 1, 4, 5)])
def test_wrong_mask_is_refused(shape):
    with pytest.raises(ValueError, match=r'\(2, 1, 4, 5\), got'):
        masked_mean(torch.rand(2, 3, 4, 5), torch.ones(shape))


def test_full_precision_raises_half_and_stops_autocast():
    product = full_precision(lambda a, *, b: a @ b)
    a = torch.rand(4, 4, dtype=torch.bfloat16, requires_grad=True)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = product(a, b=torch.rand(4, 4))
        double = product(a.double(), b=torch.rand(4, 4, dtype=torch.float64))
    out.sum().backward()
    assert out.dtype == torch.float32
    assert double.dtype == torch.float64
    assert a.grad.dtype == torch.bfloat16
