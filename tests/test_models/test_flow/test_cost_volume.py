"""The cost volume against loops, its gradient, its forms of input."""

import pytest
import torch

from mcjepa_mm.models.flow import cost_volume
from mcjepa_mm.models.flow.cost_volume import joined_cost_volume


def cost_volume_by_loops(feat1, feat2, radius):
    """The formula of the docstring, one number at a time."""
    n, c, h, w = feat1.shape
    side = 2 * radius + 1
    out = torch.zeros(n, side * side, h, w, dtype=feat1.dtype)
    for i in range(n):
        for y in range(h):
            for x in range(w):
                for dy in range(-radius, radius + 1):
                    for dx in range(-radius, radius + 1):
                        if not (0 <= y + dy < h and 0 <= x + dx < w):
                            continue
                        k = (dy + radius) * side + dx + radius
                        out[i, k, y, x] = (
                            feat1[i, :, y, x] * feat2[i, :, y + dy, x + dx]
                        ).sum() / c
    return out


def cost_volume_by_unfold(feat1, feat2, radius):
    """The formula by unfolding, differentiable."""
    n, c, h, w = feat1.shape
    windows = torch.nn.functional.unfold(
        feat2, 2 * radius + 1, padding=radius
    ).view(n, c, -1, h, w)
    return torch.einsum('nchw,nckhw->nkhw', feat1, windows) / c


@pytest.mark.parametrize(
    'shape, radius',
    [
        ((2, 3, 4, 5), 1),
        ((1, 2, 3, 19), 2),  # more than one tile, the last one not full
        ((1, 2, 2, 3), 4),  # a map smaller than the window
    ],
)
def test_equals_loops(shape, radius):
    torch.manual_seed(0)
    feat1, feat2 = torch.randn(2, *shape, dtype=torch.float64)
    torch.testing.assert_close(
        cost_volume(feat1, feat2, radius),
        cost_volume_by_loops(feat1, feat2, radius),
    )


@pytest.mark.parametrize(
    'shape, radius', [((2, 2, 3, 4), 1), ((1, 2, 2, 18), 2)]
)
def test_gradcheck(shape, radius):
    torch.manual_seed(0)
    feats = torch.randn(2, *shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda a, b: cost_volume(a, b, radius), (feats[0], feats[1])
    )


@pytest.mark.parametrize('width', [15, 16, 17, 40])
@pytest.mark.parametrize('radius', [1, 4, 9])
def test_gradient_equals_autograd_at_the_tile_borders(width, radius):
    """Radius 9 makes a window longer than two tiles."""
    torch.manual_seed(0)
    a = torch.randn(2, 3, 5, width, dtype=torch.float64, requires_grad=True)
    b = torch.randn(2, 3, 5, width, dtype=torch.float64, requires_grad=True)
    mine, other = (
        f(a, b, radius) for f in (cost_volume, cost_volume_by_unfold)
    )
    torch.testing.assert_close(mine, other)
    seed = torch.randn_like(other)
    for x, y in zip(
        torch.autograd.grad(mine, (a, b), seed),
        torch.autograd.grad(other, (a, b), seed),
        strict=True,
    ):
        torch.testing.assert_close(x, y)


def test_bfloat16_and_autocast():
    torch.manual_seed(0)
    a, b = torch.randn(2, 2, 64, 6, 20)
    a.requires_grad_()
    exact = cost_volume(a, b)
    exact.sum().backward()
    expected, a.grad = a.grad, None
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = cost_volume(a, b)
    assert half.dtype == torch.bfloat16
    half.float().sum().backward()
    assert (half - exact).abs().max() < 0.02
    assert (a.grad - expected).abs().max() < 0.02 * expected.abs().max()


def test_float16_holds_the_mean_of_what_it_cannot_sum():
    torch.manual_seed(0)
    a, b = 48 * torch.randn(2, 1, 768, 4, 20)
    a, b = a.half().requires_grad_(), b.half()
    exact = a.detach().double().requires_grad_()
    expected = cost_volume(exact, b.double())
    # some sums over the channels are beyond 65504
    assert 768 * expected.abs().max() > torch.finfo(torch.float16).max
    half = cost_volume(a, b)
    half.float().sum().backward()
    expected.sum().backward()
    for found, wanted in ((half, expected), (a.grad, exact.grad)):
        error = (found.double() - wanted).abs().max()
        assert error < 2e-3 * wanted.abs().max()


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r'\(1, 2, 4, 4\).*\(1, 2, 4, 5\)'):
        cost_volume(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 5))


def joined_by_cat(feat1, feat2, extra_inputs, radius, divisor, slope):
    """The formula of the docstring."""
    volume = cost_volume_by_unfold(feat1, feat2, radius)
    volume = volume * feat1.shape[1] / divisor
    volume = torch.nn.functional.leaky_relu(volume, slope)
    return torch.cat([volume, *extra_inputs], dim=1)


@pytest.mark.parametrize('width', [6, 16, 19, 32])
def test_joined_volume_equals_a_concatenation(width):
    """Also where a feature is beside its own volume, as in the decoder."""
    torch.manual_seed(0)
    a, b = (
        torch.randn(2, 3, 5, width, dtype=torch.float64, requires_grad=True)
        for _ in range(2)
    )
    flow = torch.randn(2, 2, 5, width, dtype=torch.float64, requires_grad=True)
    mine = joined_cost_volume(
        a, b, (a, flow), 2, divisor=3**0.5, negative_slope=0.1
    )
    other = joined_by_cat(a, b, (a, flow), 2, 3**0.5, 0.1)
    torch.testing.assert_close(mine, other)
    assert (mine[:, :25] < 0).any()
    assert mine.is_contiguous(memory_format=torch.channels_last)
    seed = torch.randn_like(other)
    for x, y in zip(
        torch.autograd.grad(mine, (a, b, flow), seed),
        torch.autograd.grad(other, (a, b, flow), seed),
        strict=True,
    ):
        torch.testing.assert_close(x, y)


def test_gradcheck_of_the_joined_volume():
    torch.manual_seed(0)
    a, b, extra_inputs = (
        torch.randn(1, 2, 2, 18, dtype=torch.float64, requires_grad=True)
        for _ in range(3)
    )
    assert torch.autograd.gradcheck(
        lambda a, b, extra_inputs: joined_cost_volume(
            a, b, (extra_inputs, a), 1, negative_slope=0.1
        ),
        (a, b, extra_inputs),
    )


def test_what_lies_beside_comes_to_the_dtype_of_the_volume():
    """And its gradient comes back in its own."""
    torch.manual_seed(0)
    a, b, flow = torch.randn(3, 1, 2, 4, 20)
    flow.requires_grad_()
    joined = joined_cost_volume(a.half(), b.half(), (flow,), 1)
    assert joined.dtype == torch.float16
    joined.float().sum().backward()
    assert flow.grad.dtype == torch.float32
    assert (flow.grad == 1).all()
