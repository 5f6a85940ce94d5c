"""The plain forms of an exported graph against the fast ones."""

import pytest
import torch

from mcjepa_mm.models.backbones import MCJEPAConvNeXt
from mcjepa_mm.models.backbones.cpu_ops import DepthwiseConv, pointwise_mlp
from mcjepa_mm.models.backbones.layers import Downsample
from mcjepa_mm.models.exporting import is_exporting
from mcjepa_mm.models.flow.cost_volume import joined_cost_volume


class Call(torch.nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


def traced(function, *args):
    """The graph of one call, run on others of the same shape."""
    return torch.jit.trace(function, args, check_trace=False)


def test_only_exports_are_exporting():
    said = []

    def function(x):
        said.append(is_exporting())
        return x + 1

    x = torch.zeros(2)
    function(x)
    traced(function, x)
    torch.export.export(Call(function), (x,), strict=False)
    assert said == [False, True, True]


@pytest.mark.parametrize('slope', [1.0, 0.1])
@pytest.mark.parametrize('shape', [(2, 5, 6, 19), (1, 4, 2, 3)])
def test_cost_volume(shape, slope):
    def function(a, b, extra_inputs):
        return joined_cost_volume(
            a, b, [extra_inputs], 2, negative_slope=slope
        )

    torch.manual_seed(0)
    n, _, h, w = shape
    graph = traced(function, *torch.randn(2, *shape), torch.randn(n, 3, h, w))
    a, b = torch.randn(2, *shape, requires_grad=True)
    extra_inputs = torch.randn(n, 3, h, w)
    torch.testing.assert_close(
        graph(a, b, extra_inputs), function(a, b, extra_inputs)
    )


def test_half_precision_volume():
    """Sums over channels that float16 has no number for."""
    a = torch.full((1, 64, 4, 6), 100.0, dtype=torch.float16)

    def function(a, b):
        return joined_cost_volume(a, b, [], 1)

    graph = traced(function, a, a)
    torch.testing.assert_close(graph(a, a), function(a, a), rtol=2e-3, atol=0)
    assert graph(a, a).isfinite().all()


def test_pointwise_mlp():
    torch.manual_seed(0)
    weights = [torch.randn(s) for s in ((12, 4), (12,), (5, 12), (5,))]
    graph = traced(pointwise_mlp, torch.randn(2, 3, 4), *weights)
    x = torch.randn(2, 3, 4)
    torch.testing.assert_close(graph(x, *weights), pointwise_mlp(x, *weights))
    assert 'PythonOp' not in str(graph.graph)


def test_depthwise_conv():
    torch.manual_seed(0)
    layer = DepthwiseConv(4, kernel_size=7)
    x, other = torch.randn(2, 2, 4, 8, 9).unbind()
    x = x.contiguous(memory_format=torch.channels_last)
    other = other.contiguous(memory_format=torch.channels_last)
    graph = torch.jit.trace(layer, x, check_trace=False)
    torch.testing.assert_close(graph(other), layer(other))
    assert 'PythonOp' not in str(graph.inlined_graph)


@pytest.mark.parametrize('kernel', [2, 3, 4, 5])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('size', [(8, 10), (9, 8), (7, 7)])
def test_padding_that_is_not_read(kernel, stride, size):
    torch.manual_seed(0)
    layer = Downsample(2, 3, kernel_size=kernel, stride=stride)
    x = torch.randn(1, 2, *size)
    graph = torch.jit.trace(layer, x, check_trace=False)
    torch.testing.assert_close(graph(x), layer(x))


def test_encoder_traced():
    """Its graph computes other images, and holds no Python."""
    torch.manual_seed(0)
    model = MCJEPAConvNeXt(
        arch=dict(depths=(1, 1, 1, 1), channels=(8, 8, 8, 8)),
        layer_scale_init_value=0,
    ).eval()
    graph = torch.jit.trace(model, torch.randn(1, 3, 64, 64))
    assert 'PythonOp' not in str(graph.inlined_graph)
    images = torch.randn(1, 3, 64, 64)
    for got, expected in zip(graph(images), model(images), strict=True):
        torch.testing.assert_close(got, expected)
