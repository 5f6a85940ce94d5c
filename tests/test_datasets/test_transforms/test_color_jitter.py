import colorsys

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import ColorJitter

from mcjepa_mm.datasets.transforms import ColorJitterFastHue
from mcjepa_mm.datasets.transforms.color_jitter import turn_hue


@pytest.fixture
def colours():
    """Random colours, (16, 16, 3) uint8."""
    return np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


@pytest.mark.parametrize('turn', [-0.5, -0.1, 0.03, 0.25, 0.5])
def test_hue_is_nearer_to_the_exact_one_than_pillows(colours, turn):
    exact = np.empty(colours.shape)
    for place in np.ndindex(colours.shape[:2]):
        hue, *rest = colorsys.rgb_to_hsv(*(colours[place] / 255))
        exact[place] = colorsys.hsv_to_rgb((hue + turn) % 1, *rest)
    exact *= 255
    image = Image.fromarray(colours)
    error = np.abs(np.asarray(turn_hue(image, turn)) - exact)
    # a hue of 256 steps cannot do better than 6 / 256 * 255 / 2 and rounding
    assert error.mean() < 1.2 and error.max() < 14
    theirs = ColorJitter(hue=(turn, turn))(image)
    assert error.mean() <= np.abs(np.asarray(theirs) - exact).mean()


def test_every_other_step_is_torchvisions(colours):
    """The same random numbers, the same pixels."""
    jitter = dict(brightness=0.4, contrast=0.4, saturation=0.2)
    ours, theirs = ColorJitterFastHue(**jitter), ColorJitter(**jitter)
    image = Image.fromarray(colours)
    for seed in range(10):
        torch.manual_seed(seed)
        expected = theirs(image)
        drawn = torch.rand(1)
        torch.manual_seed(seed)
        found = ours(dict(img=image))['img']
        np.testing.assert_array_equal(found, expected)
        assert torch.rand(1) == drawn


def test_grey_has_no_hue():
    grey = np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 4, 3))
    turned = turn_hue(Image.fromarray(grey), 0.3)
    np.testing.assert_array_equal(turned, grey)
