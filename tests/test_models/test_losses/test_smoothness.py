import math

import pytest
import torch

from mcjepa_mm.models.losses import smoothness_loss
from mcjepa_mm.registry import MODELS


def smoothness_loops(flow, image, order, edge, normalize):
    """Both axes written out pixel by pixel."""
    batch, _, height, width = flow.shape
    scale = min(height, width) if normalize else 1

    def mean_along(flow, image):
        terms = []
        for n in range(batch):
            for i in range(flow.shape[2]):
                for j in range(flow.shape[3] - order):
                    step = (
                        (image[n, :, i, j + order] - image[n, :, i, j])
                        .abs()
                        .mean()
                    )
                    weight = math.exp(-edge * step)
                    for c in range(2):
                        f = (flow[n, c, i] / scale).tolist()
                        bend = (
                            f[j + 1] - f[j]
                            if order == 1
                            else (f[j + 2] - 2 * f[j + 1] + f[j])
                        )
                        terms.append(weight * abs(bend))
        return sum(terms) / len(terms)

    return (
        mean_along(flow, image)
        + mean_along(flow.transpose(2, 3), image.transpose(2, 3))
    ) / 2


def flow_and_image(height=5, width=7):
    generator = torch.Generator().manual_seed(0)
    size = (height, width)
    flow = torch.randn(2, 2, *size, generator=generator, dtype=torch.float64)
    image = torch.rand(2, 3, *size, generator=generator, dtype=torch.float64)
    return flow, image


@pytest.mark.parametrize('order', [1, 2])
@pytest.mark.parametrize('normalize', [True, False])
def test_equals_loops(order, normalize):
    flow, image = flow_and_image()
    kwargs = dict(order=order, edge=3.0, normalize=normalize)
    expected = smoothness_loops(flow, image, **kwargs)
    out = smoothness_loss(flow, image, **kwargs)
    assert out.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize('order', [1, 2])
def test_gradcheck(order):
    flow, image = flow_and_image(4, 5)
    assert torch.autograd.gradcheck(
        lambda f: smoothness_loss(f, image, order=order, edge=3.0),
        [flow.requires_grad_()],
    )


def test_module_weighs_what_its_attributes_say():
    loss = MODELS.build(dict(type='SmoothnessLoss', loss_weight=1.0))
    flow, image = flow_and_image()
    loss.loss_weight, loss.order, loss.edge, loss.normalize = (
        5.0,
        1,
        2.0,
        False,
    )
    torch.testing.assert_close(
        loss(flow, image),
        5 * smoothness_loss(flow, image, order=1, edge=2.0, normalize=False),
    )


def test_bad_input_is_refused():
    flow, image = flow_and_image()
    with pytest.raises(ValueError, match='1 or 2, got 3'):
        smoothness_loss(flow, image, order=3)
    with pytest.raises(ValueError, match=r'\(2, 3, 10, 14\).*resize'):
        smoothness_loss(flow, image.repeat(1, 1, 2, 2))
    with pytest.raises(ValueError, match=r'3 x 3 pixels, got \(2, 7\)'):
        smoothness_loss(flow[..., :2, :], image[..., :2, :])
