import pytest
import torch
from mmengine.registry import init_default_scope
from torch import nn

from mcjepa_mm.models.heads import DenseVICReg, DenseVICRegHead
from mcjepa_mm.models.heads.base_pretext_head import EncoderInfo
from mcjepa_mm.models.heads.dense_vicreg_head import (
    Windows,
    cut_windows,
    recolor,
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mcjepa_mm')


def coordinates(n, height, width):
    """Images whose first two channels are x and y: a ramp, which bilinear
    interpolation returns exactly."""
    y, x = torch.meshgrid(
        torch.arange(height), torch.arange(width), indexing='ij'
    )
    return torch.stack([x, y, x * 0]).double().expand(n, -1, -1, -1)


class Compared(nn.Module):
    """Stands where the loss does and keeps what is compared."""

    def forward(self, z1, z2):
        self.z1, self.z2 = z1, z2
        return dict(invariance=(z1 - z2).square().mean())


def coordinates_compared(flow, visible=None):
    """The places in both frames of the points that are compared."""
    n, _, *size = flow.shape
    dense = DenseVICReg([3], (0,), window=16, max_offset=6, color=0)
    dense.expanders[0], dense.vicreg = nn.Identity(), Compared()
    frames = coordinates(n, *size)
    visible = torch.ones_like(flow[:, :1]) if visible is None else visible
    dense(frames, frames, flow, visible, lambda x: [x.flatten(0, 1)])
    return dense.vicreg.z1[:, :2], dense.vicreg.z2[:, :2]


def test_points_of_a_still_match():
    torch.manual_seed(0)
    first, second = coordinates_compared(torch.zeros(8, 2, 40, 48).double())
    torch.testing.assert_close(first, second, atol=1e-4, rtol=0)
    assert first.std(0).min() > 5  # from all over the frames


def test_points_go_where_the_flow_says():
    torch.manual_seed(0)
    x, y, _ = coordinates(1, 60, 70)[0]
    flow = torch.stack([6 + 0.1 * y, -4 + 0.05 * x])
    first, second = coordinates_compared(flow.expand(8, -1, -1, -1))
    # points are pixels of the first frame
    torch.testing.assert_close(first, first.round(), atol=1e-4, rtol=0)
    column, row = first.round().long().T
    torch.testing.assert_close(
        second - first, flow[:, row, column].T, atol=1e-4, rtol=0
    )


def test_occluded_points_are_not_compared():
    torch.manual_seed(0)
    visible = (coordinates(8, 40, 40)[:, :1] % 5 == 0).double()
    first, _ = coordinates_compared(
        torch.zeros(8, 2, 40, 40).double(), visible
    )
    assert (first[:, 0].round() % 5 == 0).all()


def test_windows_are_crops():
    image = torch.arange(2 * 3 * 12 * 12.0).view(2, 3, 12, 12).double()
    windows = Windows(
        torch.tensor([[2.0, 3.0], [9.0, 0.0]]).double(),
        torch.tensor([[1.0, 1.0], [-1.0, 1.0]]).double(),
    )
    crops = cut_windows(image, windows, 6)
    torch.testing.assert_close(crops[0], image[0, :, 3:9, 2:8])
    torch.testing.assert_close(crops[1], image[1, :, :6, 4:10].flip(2))


def test_recoloring_keeps_grey():
    torch.manual_seed(0)
    grey = torch.randn(5, 1, 4, 4).double().expand(-1, 3, -1, -1)
    recolored = recolor(grey, 0.4)
    assert not torch.allclose(recolored, grey)
    torch.testing.assert_close(recolored[:, :1], recolored[:, 1:2])
    torch.testing.assert_close(recolored[:, :1], recolored[:, 2:])
    images = torch.randn(2, 3, 4, 4)
    assert recolor(images, 0) is images


def test_hue_keeps_chroma():
    """Hue turns at one angle: all distances from grey grow by one factor."""
    torch.manual_seed(0)
    images = torch.randn(6, 3, 4, 4).double()
    before, after = (
        (x - x.mean(1, keepdim=True)).norm(dim=1).flatten(1)
        for x in (images, recolor(images, 0.4))
    )
    ratio = after / before
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
    assert ratio[:, 0].std() > 0.1


def test_head_trains_the_encoder_on_stills():
    torch.manual_seed(0)
    encoder = nn.Conv2d(3, 4, 3, stride=8)
    info = EncoderInfo((4,), (8,), None, None)
    dense = dict(type='mcjepa_mm.DenseVICReg', levels=(0,))
    cfg = dict(type='DenseVICRegHead', dense=dense, num_views=2)
    cfg = DenseVICRegHead.complete(cfg, info)
    cfg.pop('type')
    head = DenseVICRegHead(**cfg)
    terms = head.loss(
        (),
        torch.randn(3, 2, 3, 96, 96),
        lambda x: [encoder(x.flatten(0, 1))],
    )
    assert set(terms) == {'invariance0', 'variance0', 'covariance0'}
    sum(terms.values()).backward()
    assert encoder.weight.grad.abs().sum() > 0
