"""Names as they are in the libraries, one of every kind."""

import pytest

from mcjepa_mm.apis.key_names import LIBRARIES, library_of, rename

# ours, mmpretrain's, timm's
TABLE = """
stem.0.0.weight               downsample_layers.0.0.0.weight stem.0.0.weight
stem.1.1.running_mean         downsample_layers.0.1.1.running_mean \
stem.1.1.running_mean
downsample_layers.0.1.bias    downsample_layers.0.2.1.bias   stem.2.1.bias
downsample_layers.3.0.weight  downsample_layers.3.0.weight \
stages.3.downsample.0.weight
stages.2.11.depthwise_conv.bias stages.2.11.depthwise_conv.bias \
stages.2.blocks.11.conv_dw.bias
stages.0.0.norm.weight        stages.0.0.norm.weight \
stages.0.blocks.0.norm.weight
stages.0.0.pointwise_conv1.bias stages.0.0.pointwise_conv1.bias \
stages.0.blocks.0.mlp.fc1.bias
stages.1.2.pointwise_conv2.weight stages.1.2.pointwise_conv2.weight \
stages.1.blocks.2.mlp.fc2.weight
stages.3.0.gamma              stages.3.0.gamma      stages.3.blocks.0.gamma
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row[0])
def test_every_direction(row):
    names = dict(zip(LIBRARIES, row, strict=True))
    for source, name in names.items():
        for target, expected in names.items():
            assert rename(name, source, target) == expected


@pytest.mark.parametrize(
    'library, name',
    [
        ('timm', 'stem.0.weight'),  # the stem of a stock ConvNeXt
        ('timm', 'stem.2.bias'),
        ('mmpretrain', 'downsample_layers.0.0.weight'),
        ('timm', 'head.fc.weight'),
        ('mmpretrain', 'norm3.weight'),
        ('mcjepa', 'stages.4.0.gamma'),
        ('timm', 'stages.0.blocks.0.mlp.grn.weight'),
        ('timm', 'xstem.0.0.weight'),
    ],
)
def test_what_has_no_counterpart(library, name):
    for target in LIBRARIES:
        assert rename(name, library, target) is None


def test_whose_names():
    ours, mmpretrain, timm = zip(*ROWS)
    first = 'stages.0.0.depthwise_conv.weight'
    assert library_of([*ours, first]) == 'mcjepa'
    assert library_of([*mmpretrain, first]) == 'mmpretrain'
    assert library_of([*timm, 'stages.0.blocks.0.conv_dw.weight']) == 'timm'
    assert library_of(['stem.0.0.weight']) is None
