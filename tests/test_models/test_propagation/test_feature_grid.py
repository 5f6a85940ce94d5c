import pytest
import torch
import torch.nn.functional as F

from mcjepa_mm.models.propagation import feature_grid


@pytest.fixture
def pyramid():
    """Maps of strides 4, 8, 8 and 16 for an image of 32 x 48 pixels."""
    torch.manual_seed(0)
    return [
        torch.randn(2, channels, 32 // stride, 48 // stride)
        for channels, stride in ((3, 4), (5, 8), (7, 8), (9, 16))
    ]


def test_takes_the_last_map_of_the_stride(pyramid):
    grid = feature_grid(pyramid, (32, 48))
    assert grid.shape == (2, 4, 6, 7)
    x = pyramid[2].permute(0, 2, 3, 1).double()
    expected = x / x.pow(2).sum(dim=3, keepdim=True).sqrt()
    torch.testing.assert_close(grid.double(), expected, rtol=1e-5, atol=1e-6)


def test_levels_count_equally(pyramid):
    """However long their features are."""
    pyramid[0] *= 1000
    grid = feature_grid(pyramid, (32, 48), levels=(0, 3), stride=16)
    assert grid.shape == (2, 2, 3, 12)
    parts = grid.split((3, 9), dim=3)
    # the finer one is resized after it was normalised
    assert parts[1].norm(dim=3).min() > 2**-0.5 - 1e-6
    x = pyramid[0] / pyramid[0].norm(dim=1, keepdim=True)
    small = F.interpolate(x, size=(2, 3), mode='bilinear')
    both = torch.cat([small, F.normalize(pyramid[3])], dim=1)
    expected = both / both.norm(dim=1, keepdim=True)
    torch.testing.assert_close(grid.permute(0, 3, 1, 2), expected)


def test_resizes_a_named_level_to_the_stride(pyramid):
    assert feature_grid(pyramid, (32, 48), levels=[3]).shape == (2, 4, 6, 9)
    grid = feature_grid(pyramid, (32, 48), levels=[-1], stride=4)
    assert grid.shape == (2, 8, 12, 9)


def test_all_levels(pyramid):
    both = [
        feature_grid(pyramid, (32, 48), levels=levels)
        for levels in ('all', (0, 1, 2, 3))
    ]
    torch.testing.assert_close(*both, rtol=0, atol=0)
    assert both[0].shape[3] == 3 + 5 + 7 + 9


@pytest.mark.parametrize('rows', [7, 8])
def test_a_coarse_level_lies_where_its_cells_are(rows):
    """Of 480 pixels a map of stride 64 covers 448 or 512, not 480."""
    images = torch.arange(512.0).view(1, 1, 512, 1).expand(1, 1, 512, 512)
    angles = [
        F.avg_pool2d(images[:, :, :end], stride) / 512
        for stride, end in ((8, 480), (64, 64 * rows))
    ]
    maps = [torch.cat([x.cos(), x.sin()], dim=1) for x in angles]
    grid = feature_grid(maps, (480, 512), levels='all')
    fine, coarse = (
        torch.atan2(x[..., 1], x[..., 0]) * 512 for x in grid.split(2, dim=3)
    )
    # between the centres of the first and the last coarse cell, where
    # interpolation is not clamped
    inside = slice(4, 8 * rows - 4)
    torch.testing.assert_close(
        coarse[:, inside], fine[:, inside], rtol=0, atol=0.1
    )


def test_takes_a_single_map():
    assert feature_grid(torch.randn(1, 6, 4, 6), (32, 48)).shape[3] == 6


@pytest.mark.parametrize('cells', [12, 13])
def test_sizes_that_the_stride_does_not_divide(cells):
    grid = feature_grid(torch.randn(1, 6, cells, cells), (100, 100))
    assert grid.shape == (1, 12, 12, 6)
    assert grid.norm(dim=3).allclose(torch.ones(1))


def test_bad_input(pyramid):
    with pytest.raises(
        ValueError, match=r'strides \[4, 8, 8, 16\], none .* 2'
    ):
        feature_grid(pyramid, (32, 48), stride=2)
    with pytest.raises(ValueError, match='stride must be at least 1, got 0'):
        feature_grid(pyramid, (32, 48), stride=0)
    with pytest.raises(ValueError, match='from 0 to 3'):
        feature_grid(pyramid, (32, 48), levels=(1, 4))
    with pytest.raises(ValueError, match='from 0 to 3'):
        feature_grid(pyramid, (32, 48), levels=())
    with pytest.raises(TypeError, match=r'\(2, 24, 7\).*featmap'):
        feature_grid([torch.randn(2, 24, 7)], (32, 48))
    with pytest.raises(TypeError, match='maps'):
        feature_grid([(pyramid[0], pyramid[1])], (32, 48))
