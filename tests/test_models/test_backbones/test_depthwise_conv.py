"""The depthwise convolution and its hand-written gradients."""

import pytest
import torch
from torch import nn

from mcjepa_mm.models.backbones import cpu_ops
from mcjepa_mm.models.backbones.cpu_ops import (
    DepthwiseConv,
    weight_gradient,
)


@pytest.fixture
def fast(monkeypatch):
    """Take the hand-written gradient on any machine and in any precision."""
    monkeypatch.setattr(cpu_ops, '_is_for_fast_gradient', lambda *_: True)


@pytest.mark.parametrize('size, shape', [(7, (5, 9)), (3, (4, 2))])
def test_weight_gradient_is_the_formula(size, shape):
    """dw[c, i, j] = sum of x[c, y + i - p, z + j - p] g[c, y, z]."""
    torch.manual_seed(0)
    x, grad = torch.randn(2, 3, 2, *shape, dtype=torch.float64).unbind(0)
    pad, (height, width) = size // 2, shape
    expected = torch.zeros(2, 1, size, size, dtype=torch.float64)
    for i in range(size):
        for j in range(size):
            for y in range(max(0, pad - i), min(height, height + pad - i)):
                for z in range(max(0, pad - j), min(width, width + pad - j)):
                    seen = x[:, :, y + i - pad, z + j - pad]
                    expected[:, 0, i, j] += (seen * grad[:, :, y, z]).sum(0)
    found = weight_gradient(x, grad, size)
    torch.testing.assert_close(found, expected)
    assert found.stride() == expected.stride()  # DistributedDataParallel's


def test_gradcheck(fast):
    torch.manual_seed(0)
    conv = DepthwiseConv(2, kernel_size=3).double()
    x = torch.randn(2, 2, 4, 3, dtype=torch.float64, requires_grad=True)

    def function(x, weight, bias):
        params = dict(weight=weight, bias=bias)
        return torch.func.functional_call(conv, params, x)

    assert torch.autograd.gradcheck(function, (x, conv.weight, conv.bias))


@pytest.mark.parametrize('channels', [8, 40, 96])
@pytest.mark.parametrize('shape', [(7, 7), (14, 28), (3, 5)])
def test_it_is_a_conv2d(fast, channels, shape):
    """Result and gradients in float32 against torch's own in float64."""
    torch.manual_seed(0)
    mine = DepthwiseConv(channels, kernel_size=7)
    other = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
    other.load_state_dict(mine.state_dict())
    other.double()
    x = torch.randn(3, channels, *shape)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    y = x.detach().double().requires_grad_()
    weight = torch.randn_like(y)
    out = mine(x)
    assert type(out.grad_fn).__name__ == '_DepthwiseConvBackward'
    assert out.is_contiguous(memory_format=torch.channels_last)
    expected = other(y)
    torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-5)
    (out * weight.float()).sum().backward()
    (expected * weight).sum().backward()
    for a, b in ((x, y), (mine.weight, other.weight), (mine.bias, other.bias)):
        error = (a.grad.double() - b.grad).norm() / b.grad.norm()
        assert error < 1e-6


def test_frozen_parameters_have_no_gradient(fast):
    conv = DepthwiseConv(2, kernel_size=3).requires_grad_(False)
    x = torch.randn(1, 2, 4, 4, requires_grad=True)
    conv(x).sum().backward()
    assert x.grad.abs().sum() > 0
    assert conv.weight.grad is None and conv.bias.grad is None


@pytest.mark.parametrize(
    'change',
    [
        lambda x: x.contiguous(),
        lambda x: x.double(),
        lambda x: x.bfloat16(),
        lambda x: x[..., :6],
    ],
)
def test_torchs_own_gradient_where_it_is_as_good(change):
    x = change(
        torch.randn(2, 8, 9, 9).contiguous(memory_format=torch.channels_last)
    )
    conv = DepthwiseConv(8, kernel_size=7).to(x.dtype)
    assert type(conv(x).grad_fn).__name__ == 'ConvolutionBackward0'
