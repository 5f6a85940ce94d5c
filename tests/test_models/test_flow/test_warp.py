"""Backward warping and the resizing of a flow."""

import math

import pytest
import torch

from mcjepa_mm.models.flow import inside, resize_flow, warp


def bilinear(image, x, y):
    """Value of a 2d list at (x, y), the border repeated."""
    h, w = len(image), len(image[0])
    x, y = min(max(x, 0), w - 1), min(max(y, 0), h - 1)
    x0, y0 = math.floor(x), math.floor(y)
    x1, y1 = min(x0 + 1, w - 1), min(y0 + 1, h - 1)
    a, b = x - x0, y - y0
    return (
        (1 - a) * (1 - b) * image[y0][x0]
        + a * (1 - b) * image[y0][x1]
        + (1 - a) * b * image[y1][x0]
        + a * b * image[y1][x1]
    )


def test_equals_loops():
    torch.manual_seed(0)
    source = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    flow = 3 * torch.randn(2, 2, 5, 7, dtype=torch.float64)
    expected = torch.zeros_like(source)
    for n in range(2):
        for c in range(3):
            image = source[n, c].tolist()
            for y in range(5):
                for x in range(7):
                    u, v = flow[n, :, y, x].tolist()
                    expected[n, c, y, x] = bilinear(image, x + u, y + v)
    torch.testing.assert_close(warp(source, flow), expected)


def test_direction():
    """What moved 2 right and 1 down is brought back to where it was."""
    frame = torch.zeros(1, 1, 6, 8)
    frame[0, 0, 2, 3] = 1
    following = torch.roll(frame, shifts=(1, 2), dims=(2, 3))
    flow = torch.tensor([2.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 6, 8)
    torch.testing.assert_close(warp(following, flow), frame)


def test_gradcheck():
    torch.manual_seed(0)
    source = torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    flow = torch.rand(1, 2, 4, 5, dtype=torch.float64) * 0.8 + 0.1
    flow.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda s, f: warp(s, f, padding_mode='zeros'), (source, flow)
    )


def test_half_precision_source_keeps_its_place():
    """The coordinates are float32: the identity moves nothing."""
    source = torch.randn(1, 2, 8, 600).bfloat16()
    warped = warp(source, torch.zeros(1, 2, 8, 600))
    assert warped.dtype == torch.bfloat16
    torch.testing.assert_close(warped, source, rtol=0, atol=1e-2)


def test_outside():
    source = torch.ones(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    flow[0, 0, :, 3] = 5.0
    assert (warp(source, flow) == 1).all()
    assert (warp(source, flow, padding_mode='zeros')[..., 3] == 0).all()


def test_inside():
    flow = torch.zeros(1, 2, 3, 4)
    flow[0, 0, 0, 0] = -0.5
    flow[0, 0, 1, 1] = 2.0  # lands on the last column
    flow[0, 1, 2, 3] = 0.1  # below the last row
    expected = torch.ones(1, 1, 3, 4)
    expected[0, 0, 0, 0] = expected[0, 0, 2, 3] = 0
    assert torch.equal(inside(flow), expected)


def test_one_pixel_wide():
    source = torch.tensor([[[[1.0], [3.0]]]])
    flow = torch.tensor([[[[0.0], [0.0]], [[0.5], [0.0]]]])
    torch.testing.assert_close(
        warp(source, flow), torch.tensor([[[[2.0], [3.0]]]])
    )


def test_resize_scales_the_values():
    flow = torch.full((1, 2, 4, 6), 1.5)
    larger = resize_flow(flow, (8, 18))
    assert larger.shape == (1, 2, 8, 18)
    torch.testing.assert_close(larger[:, 0], torch.full((1, 8, 18), 4.5))
    torch.testing.assert_close(larger[:, 1], torch.full((1, 8, 18), 3.0))
    assert resize_flow(flow, (4, 6)) is flow


def test_sizes_must_agree():
    with pytest.raises(ValueError, match='to warp|To warp'):
        warp(torch.zeros(1, 3, 4, 4), torch.zeros(1, 2, 4, 5))
