import pytest
import torch
from mmengine.model import BaseModule

from mcjepa_mm.registry import MODELS

NAMES = [f'level{i}' for i in range(1, 7)]
PWCNET = dict(type='mmflow.PWCNetEncoder', in_channels=3, pyramid_levels=NAMES)


def build(encoder, **options):
    return MODELS.build(
        dict(type='mcjepa_mm.FlowEncoderBackbone', encoder=encoder, **options)
    )


@pytest.mark.parametrize(
    'options', [{}, dict(level_names=['level2', 'level3', 'level5'])]
)
@pytest.mark.parametrize(
    'encoder',
    [
        PWCNET,
        # LiteFlowNet's, whose first level has stride 1.
        dict(PWCNET, type='mmflow.NetC'),
    ],
)
def test_returns_the_levels_and_tells_channels_and_strides(encoder, options):
    torch.manual_seed(0)
    backbone = build(encoder, **options)
    x = torch.randn(1, 3, 64, 128)
    feats, levels = backbone(x), backbone.encoder(x)
    for feat, name in zip(feats, backbone.level_names, strict=True):
        assert torch.equal(feat, levels[name])
    assert backbone.out_channels == tuple(f.shape[1] for f in feats)
    assert backbone.out_strides == tuple(128 // f.shape[-1] for f in feats)


def test_missing_levels():
    backbone = build(PWCNET, level_names=['level1', 'fine'])
    assert backbone.out_channels is None
    assert backbone.out_strides is None
    with pytest.raises(ValueError, match=r"levels \['fine'\]"):
        backbone(torch.zeros(1, 3, 64, 64))


def test_an_encoder_of_one_map_is_refused():
    backbone = build(
        dict(type='mmflow.RAFTEncoder', in_channels=3, out_channels=8)
    )
    with pytest.raises(TypeError, match='RAFTEncoder returned Tensor'):
        backbone(torch.zeros(1, 3, 32, 32))


class Opaque(BaseModule):
    """An encoder that tells nothing about itself."""

    def forward(self, x):
        return dict(fine=x, coarse=x[..., ::2, ::2])


def test_an_encoder_that_tells_nothing():
    MODELS.register_module(module=Opaque, name='OpaqueEncoder', force=True)
    try:
        backbone = build(
            dict(type='mcjepa_mm.OpaqueEncoder'),
            level_names=['fine', 'coarse'],
        )
    finally:
        MODELS.module_dict.pop('OpaqueEncoder')
    assert backbone.out_channels is None
    assert [x.shape[-1] for x in backbone(torch.zeros(1, 3, 8, 8))] == [8, 4]
