"""Visibility masks on hand-made motions."""

import torch

from mcjepa_mm.models.flow import (
    forward_backward_visibility,
    range_map_visibility,
)


def square_moves_right():
    """A 4 x 4 square moves 3 px right over a still 8 x 12 background.

    Returns the flows of both directions and, by hand, the pixels of frame t
    that are not seen any more: the strip that the square covers.
    """
    forward = torch.zeros(1, 2, 8, 12)
    backward = torch.zeros(1, 2, 8, 12)
    forward[0, 0, 2:6, 2:6] = 3
    backward[0, 0, 2:6, 5:9] = -3
    visible = torch.ones(1, 1, 8, 12)
    visible[0, 0, 2:6, 6:9] = 0
    return forward, backward, visible


def test_forward_backward_finds_the_covered_strip():
    forward, backward, visible = square_moves_right()
    assert torch.equal(forward_backward_visibility(forward, backward), visible)


def test_range_map_finds_the_covered_strip():
    _, backward, visible = square_moves_right()
    assert torch.equal(range_map_visibility(backward), visible)


def test_leaving_the_frame_is_not_visible():
    forward = torch.zeros(1, 2, 4, 6)
    forward[:, 0] = 2
    expected = torch.ones(1, 1, 4, 6)
    expected[..., 4:] = 0
    assert torch.equal(
        forward_backward_visibility(forward, -forward), expected
    )
    assert torch.equal(range_map_visibility(-forward), expected)


def test_forward_backward_equals_the_formula():
    """Against the inequality, at whole-pixel flows where warping is exact."""
    torch.manual_seed(0)
    forward = torch.randint(-2, 3, (1, 2, 6, 7)).float()
    backward = torch.randint(-2, 3, (1, 2, 6, 7)).float()
    mask = forward_backward_visibility(forward, backward, alpha=0.1, beta=1.5)
    for y in range(6):
        for x in range(7):
            u, v = (int(a) for a in forward[0, :, y, x])
            if not (0 <= x + u < 7 and 0 <= y + v < 6):
                assert mask[0, 0, y, x] == 0
                continue
            p, q = (int(a) for a in backward[0, :, y + v, x + u])
            gap = (u + p) ** 2 + (v + q) ** 2
            motion = u * u + v * v + p * p + q * q
            assert mask[0, 0, y, x] == (gap <= 0.1 * motion + 1.5)


def test_range_map_equals_loops():
    torch.manual_seed(0)
    backward = 2 * torch.randn(1, 2, 5, 6, dtype=torch.float64)
    arrived = torch.zeros(5, 6, dtype=torch.float64)
    for y in range(5):
        for x in range(6):
            u, v = backward[0, :, y, x].tolist()
            for j in range(5):
                for i in range(6):
                    arrived[j, i] += max(0, 1 - abs(x + u - i)) * max(
                        0, 1 - abs(y + v - j)
                    )
    expected = (arrived >= 0.5).double()
    assert torch.equal(range_map_visibility(backward)[0, 0], expected)
    assert 0 < expected.mean() < 1


def test_no_gradient_passes():
    flow = torch.zeros(1, 2, 4, 4, requires_grad=True)
    assert not forward_backward_visibility(flow, flow).requires_grad
    assert not range_map_visibility(flow).requires_grad
