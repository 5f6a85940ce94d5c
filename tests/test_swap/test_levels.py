"""Which levels of the encoder take the places of other maps."""

import pytest

from mcjepa_mm.models.backbones import MCJEPAConvNeXt
from mcjepa_mm.swap import SwapError
from mcjepa_mm.swap.new_backbone import fit_levels

ARCH = dict(depths=(1, 1, 1, 1), channels=(4, 6, 8, 10))


@pytest.mark.parametrize(
    'wanted, levels, strides',
    [
        # a ResNet, ConvNeXt, Swin
        ([4, 8, 16, 32], (2, 3, 4, 5), (2, 2, 1, 2, 2, 2)),
        # dilated ResNets
        ([4, 8, 8, 8], (2, 3, 4, 5), (2, 2, 1, 2, 1, 1)),
        ([4, 8, 16, 16], (2, 3, 4, 5), (2, 2, 1, 2, 2, 1)),
        ([8, 16, 32], (3, 4, 5), (2, 2, 2, 1, 2, 2)),
        # a single map: the deepest, its stride reached as early as it can be
        ([32], (5,), (2, 2, 2, 2, 2, 1)),
        ([16], (5,), (2, 2, 2, 2, 1, 1)),
        ([8], (5,), (2, 2, 2, 1, 1, 1)),
        # MobileNetV3 of LR-ASPP
        ([2, 4, 8], (0, 2, 5), (2, 2, 1, 2, 1, 1)),
        # all levels
        ([2, 4, 8, 16, 32, 64], (0, 1, 2, 3, 4, 5), (2, 2, 2, 2, 2, 2)),
        ([4, 4, 8, 16, 32], (1, 2, 3, 4, 5), (2, 2, 1, 2, 2, 2)),
    ],
)
def test_by_hand(wanted, levels, strides):
    assert fit_levels(wanted) == (levels, strides)
    model = MCJEPAConvNeXt(ARCH, out_indices=levels, strides=strides)
    assert list(model.out_strides) == wanted


@pytest.mark.parametrize(
    'wanted',
    [
        [16, 16, 16, 16],  # a plain transformer
        [32, 16, 8],
        [128],
        [3, 6],
        [2, 2, 2, 2, 2, 2, 2],
    ],
)
def test_what_no_levels_have(wanted):
    with pytest.raises(SwapError, match='strides'):
        fit_levels(wanted)
