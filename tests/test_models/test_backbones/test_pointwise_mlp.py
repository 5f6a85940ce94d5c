"""The MLP of a block: its formula, its gradients, what it keeps."""

import pytest
import torch

from mcjepa_mm.models.backbones import cpu_ops as module
from mcjepa_mm.models.backbones.cpu_ops import pointwise_mlp

NAMES = ('x', 'weight1', 'bias1', 'weight2', 'bias2')


def inputs(dtype=torch.float64, shape=(1, 5, 2), width=5, out=4):
    torch.manual_seed(0)
    shapes = (shape, (width, shape[-1]), (width,), (out, width), (out,))
    return [
        torch.randn(x, dtype=torch.float64).to(dtype).requires_grad_()
        for x in shapes
    ]


def formula(x, weight1, bias1, weight2, bias2):
    """Written out, with the normal distribution in place of a GELU."""
    hidden = x @ weight1.T + bias1
    hidden = hidden * torch.distributions.Normal(0, 1).cdf(hidden)
    return hidden @ weight2.T + bias2


@pytest.fixture(params=[2**21, 10], ids=['whole', 'pieces'])
def chunk(request, monkeypatch):
    """All at once, or two positions, the last piece smaller."""
    monkeypatch.setattr(module, '_CHUNK', request.param)


def test_it_is_the_formula_with_its_gradients(chunk):
    given = inputs()
    out, expected = pointwise_mlp(*given), formula(*given)
    torch.testing.assert_close(out, expected)
    weight = torch.randn_like(out)
    found = torch.autograd.grad((out * weight).sum(), given)
    wanted = torch.autograd.grad((expected * weight).sum(), given)
    for name, a, b in zip(NAMES, found, wanted, strict=True):
        torch.testing.assert_close(a, b, msg=name)


def test_gradcheck(chunk):
    assert torch.autograd.gradcheck(pointwise_mlp, inputs())


def test_result_does_not_depend_on_whether_gradients_are_on(chunk):
    given = inputs(torch.float32, (1, 7, 32), 5, 32)
    with torch.no_grad():
        expected = pointwise_mlp(*given)
    assert torch.equal(pointwise_mlp(*given), expected)


def test_without_a_gradient_there_is_no_wide_map(monkeypatch):
    monkeypatch.setattr(module, '_CHUNK', 40)
    given = inputs(torch.float32, (1, 70, 8), 20, 4)

    def largest():
        with torch.profiler.profile(profile_memory=True) as p:
            pointwise_mlp(*given)
        return max(x.self_cpu_memory_usage for x in p.events())

    assert largest() == 4 * 70 * 20
    with torch.no_grad():
        assert largest() == 4 * 70 * 4  # the result


def test_no_position_at_all():
    given = inputs(shape=(0, 3, 2))
    out = pointwise_mlp(*given)
    assert out.shape == (0, 3, 4)
    grads = torch.autograd.grad(out.sum(), given)
    assert all(not grad.any() for grad in grads)


def test_backward_in_a_region_of_autocast():
    given = inputs(torch.float32, (2, 7, 32), 128, 32)
    out = pointwise_mlp(*given).sum()
    expected = torch.autograd.grad(out, given, retain_graph=True)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = torch.autograd.grad(out, given)
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize('wanted', NAMES)
def test_one_gradient_alone(wanted):
    given = inputs()
    all_grads = torch.autograd.grad(pointwise_mlp(*given).sum(), given)
    for name, tensor in zip(NAMES, given, strict=True):
        tensor.requires_grad_(name == wanted)
    pointwise_mlp(*given).sum().backward()
    for name, tensor, grad in zip(NAMES, given, all_grads, strict=True):
        if name == wanted:
            torch.testing.assert_close(tensor.grad, grad)
        else:
            assert tensor.grad is None


def test_gradient_that_is_a_permuted_map():
    """As it comes from channels-first code behind the block."""
    given = inputs(shape=(2, 3, 5, 2))
    weight = torch.randn(2, 4, 3, 5, dtype=torch.float64)

    def loss(out):
        return (out.permute(0, 3, 1, 2) * weight).sum()

    found = torch.autograd.grad(loss(pointwise_mlp(*given)), given)
    expected = torch.autograd.grad(loss(formula(*given)), given)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_autocast_is_bfloat16_throughout():
    given = inputs(torch.float32, (2, 7, 32), 128, 32)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = pointwise_mlp(*given)
    assert out.dtype == torch.bfloat16
    expected = formula(*given)
    found = torch.autograd.grad(out.float().sum(), given)
    wanted = torch.autograd.grad(expected.sum(), given)
    for a, b in zip((out, *found), (expected, *wanted), strict=True):
        error = (a - b).norm() / b.norm()
        assert error < 0.02
    assert all(x.dtype == torch.float32 for x in found)


def test_one_wide_map_is_kept():
    """x and the map before the GELU; autograd keeps that behind it as well."""
    given = inputs(torch.float32, (50, 8), 32, 8)
    kept = []

    def pack(tensor):
        kept.append(tensor.shape)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        pointwise_mlp(*given)
    assert sorted(kept) == [(8, 32), (32, 8), (50, 8), (50, 32)]
