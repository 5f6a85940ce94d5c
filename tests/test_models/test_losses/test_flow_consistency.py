"""The distance of two flows, and the student's term."""

import pytest
import torch

from mcjepa_mm.models.losses import SelfSupervisionLoss, flow_distance


def test_distance_is_the_written_formula():
    torch.manual_seed(0)
    flow, target = torch.randn(2, 3, 2, 4, 5, dtype=torch.float64)
    mask = torch.rand(3, 1, 4, 5, dtype=torch.float64)
    total = weight = 0.0
    for n in range(3):
        for c in range(2):
            for y in range(4):
                for x in range(5):
                    d = float(flow[n, c, y, x] - target[n, c, y, x])
                    m = float(mask[n, 0, y, x])
                    total += m * (d * d + 1e-6) ** 0.5
                    weight += m
    result = flow_distance(flow, target, mask)
    assert result.item() == pytest.approx(total / weight, rel=1e-12)


def test_only_the_flow_has_a_gradient():
    flow = torch.ones(1, 2, 2, 2, requires_grad=True)
    target = torch.zeros(1, 2, 2, 2, requires_grad=True)
    flow_distance(flow, target, torch.ones(1, 1, 2, 2)).backward()
    assert flow.grad.abs().sum() > 0
    assert target.grad is None


def test_flows_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match='one shape'):
        flow_distance(
            torch.zeros(1, 2, 4, 4),
            torch.zeros(1, 2, 2, 2),
            torch.ones(1, 1, 4, 4),
        )


def test_views_show_the_window():
    """A ramp, cropped and zoomed, is the ramp's values in the window."""
    torch.manual_seed(3)
    loss = SelfSupervisionLoss(border=8, light=0.0, noise=0.0)
    ramp = torch.arange(64.0).expand(2, 2, 3, 32, 64)
    views, (rows, columns) = loss.views(ramp)
    assert views.shape == ramp.shape
    assert rows.shape == (16, 1) and columns.shape == (48,)
    # 48 columns become 64: pixel i is centred on 0.75 (i + 0.5) - 0.5.
    centre = columns[0] + 0.75 * (torch.arange(64) + 0.5) - 0.5
    inside = slice(2, -2)
    torch.testing.assert_close(
        views[1, 0, 2, 5, inside], centre[inside], atol=1e-4, rtol=0
    )


def test_windows_and_light_are_random():
    torch.manual_seed(0)
    loss = SelfSupervisionLoss(border=4)
    inputs = torch.randn(3, 2, 3, 16, 16)
    first, second = (loss.views(inputs)[0] for _ in range(2))
    assert not torch.equal(first, second)
    assert len({str(loss.views(inputs)[1]) for _ in range(20)}) > 5


def test_target_is_the_teachers_flow_zoomed():
    """Where the teacher is right and the student agrees, nothing is lost."""
    loss = SelfSupervisionLoss(border=8, loss_weight=2.0)
    window = slice(4, 20), slice(6, 54)  # 16 x 48 of 32 x 64
    teacher = torch.zeros(1, 2, 32, 64)
    teacher[:, 0], teacher[:, 1] = 3.0, 1.0
    student = torch.zeros(1, 2, 32, 64)
    student[:, 0], student[:, 1] = 3.0 * 64 / 48, 1.0 * 32 / 16
    ones, zeros = torch.ones(1, 1, 32, 64), torch.zeros(1, 1, 32, 64)
    right = loss(student, zeros, teacher, ones, window)
    assert right.item() == pytest.approx(2 * 1e-3, rel=1e-3)
    wrong = loss(student + 1, zeros, teacher, ones, window)
    assert wrong.item() == pytest.approx(2.0, rel=1e-3)
    # Nothing is taught where the student sees it itself, or nobody does.
    assert loss(student + 1, ones, teacher, ones, window).item() == 0
    assert loss(student + 1, zeros, teacher, zeros, window).item() == 0


def test_a_border_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match='Lower `border`'):
        SelfSupervisionLoss(border=16).views(torch.zeros(1, 2, 3, 32, 64))
