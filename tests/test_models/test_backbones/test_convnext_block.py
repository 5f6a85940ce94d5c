"""A block of the encoder against its formula, and under torch's modes."""

import pytest
import torch
import torch.nn.functional as F

from mcjepa_mm.models.backbones import MCJEPAConvNeXt, cpu_ops
from mcjepa_mm.models.backbones.layers import ConvNeXtBlock

ARCH = dict(depths=(1, 1, 2, 1), channels=(8, 16, 24, 32))


def block(norm='LN2d', layer_scale=0.5, with_cp=False, rate=0.0):
    torch.manual_seed(0)
    made = ConvNeXtBlock(
        8,
        drop_path_rate=rate,
        layer_scale_init_value=layer_scale,
        norm_cfg=dict(type=norm, eps=1e-6),
        with_cp=with_cp,
    )
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


def formula(params, x, norm):
    """The block as the paper has it, with nothing of the package."""
    y = F.conv2d(
        x,
        params['depthwise_conv.weight'],
        params['depthwise_conv.bias'],
        padding=3,
        groups=8,
    )
    dims = (1,) if norm == 'LN2d' else (0, 2, 3)
    y = y - y.mean(dims, keepdim=True)
    y = y / (y.square().mean(dims, keepdim=True) + 1e-6).sqrt()
    y = y * params['norm.weight'][:, None, None]
    y = y + params['norm.bias'][:, None, None]
    for i in (1, 2):
        weight = params[f'pointwise_conv{i}.weight']
        y = torch.einsum('nchw,dc->ndhw', y, weight)
        y = y + params[f'pointwise_conv{i}.bias'][:, None, None]
        if i == 1:
            y = y * torch.distributions.Normal(0, 1).cdf(y)
    if 'gamma' in params:
        y = y * params['gamma'][:, None, None]
    return x + y


@pytest.mark.parametrize('with_cp', [False, True])
@pytest.mark.parametrize('layer_scale', [0.0, 0.5])
@pytest.mark.parametrize('norm', ['LN2d', 'BN'])
def test_block_is_the_formula(norm, layer_scale, with_cp):
    """In float32, so with every hand-written gradient of this machine."""
    mine = block(norm, layer_scale, with_cp)
    x = torch.randn(2, 8, 9, 6)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    params = {
        key: value.detach().double().requires_grad_()
        for key, value in mine.named_parameters()
    }
    y = x.detach().double().requires_grad_()
    out, expected = mine(x), formula(params, y, norm)
    torch.testing.assert_close(out.double(), expected, rtol=1e-4, atol=1e-4)
    weight = torch.randn_like(y)
    (out * weight.float()).sum().backward()
    (expected * weight).sum().backward()
    pairs = [(x, y), *((p, params[k]) for k, p in mine.named_parameters())]
    largest = max(b.grad.norm() for _, b in pairs)
    for a, b in pairs:
        # batch norm takes the bias before it away: its gradient is 0
        error = (a.grad.double() - b.grad).norm()
        assert error < 1e-5 * b.grad.norm() + 1e-7 * largest


def test_block_gradcheck(monkeypatch):
    monkeypatch.setattr(cpu_ops, '_is_for_fast_gradient', lambda *_: True)
    mine = block(rate=0.0).double()
    x = torch.randn(1, 8, 2, 3, dtype=torch.float64, requires_grad=True)
    inputs = (x, mine.gamma, mine.pointwise_conv2.bias, mine.norm.weight)
    assert torch.autograd.gradcheck(lambda x, *_: mine(x), inputs)


@pytest.mark.parametrize('with_cp', [False, True])
def test_autocast(with_cp):
    """bfloat16 inside, float32 outside, and close to float32's result."""
    mine = block(with_cp=with_cp)
    x = torch.randn(2, 8, 9, 9)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    expected = mine(x)
    wanted = torch.autograd.grad(expected.square().sum(), x)[0]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = mine(x)
    found = torch.autograd.grad(out.square().sum(), x)[0]
    assert out.dtype == found.dtype == torch.float32
    assert (out - expected).norm() < 0.02 * expected.norm()
    assert (found - wanted).norm() < 0.03 * wanted.norm()


@pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16])
def test_model_of_another_type(dtype):
    model = MCJEPAConvNeXt(ARCH, layer_scale_init_value=1.0).to(dtype)
    out = model(torch.randn(2, 3, 64, 64, dtype=dtype))[-1]
    out.square().sum().backward()
    assert out.dtype == dtype
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_a_small_layer_scale_in_float16():
    """Times a weight of 0.02 it would be less than float16's least number."""
    made = block(layer_scale=1e-6).float()
    for layer in (made.pointwise_conv1, made.pointwise_conv2):
        torch.nn.init.trunc_normal_(layer.weight, std=0.02)
    torch.nn.init.constant_(made.gamma, 1e-6)
    x = torch.randn(2, 8, 9, 9)
    with torch.no_grad():
        expected = made.residual(x)
        with torch.autocast('cpu', dtype=torch.float16):
            found = made.residual(x)
    assert (found - expected).norm() / expected.norm() < 5e-3


def test_no_graph_break():
    """torch.compile takes forward and backward whole; the result stays."""
    torch.manual_seed(0)
    # maps that are no smaller than the kernel, for its fast gradient
    arch = dict(ARCH, depths=(1, 0, 0, 1))
    model = MCJEPAConvNeXt(
        arch,
        strides=(2, 2, 1, 1, 1, 2),
        layer_scale_init_value=1.0,
        drop_path_rate=0.5,
    )
    compiled = torch.compile(model, fullgraph=True, backend='aot_eager')
    x = torch.randn(2, 3, 64, 64)
    results = []
    for run in (model, compiled):
        torch.manual_seed(1)
        model.zero_grad()
        maps = run(x)
        sum(feat.square().sum() for feat in maps).backward()
        results.append([*maps, *(p.grad for p in model.parameters())])
    for a, b in zip(*results, strict=True):
        assert (a - b).norm() <= 1e-4 * a.norm()
