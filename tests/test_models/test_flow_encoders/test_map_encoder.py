import pytest
import torch

from mcjepa_mm.registry import MODELS

SMALL = dict(depths=(1, 1, 1, 1), channels=(8, 16, 24, 32))


def build(out_indices=(2,), strides=(2,) * 6, **encoder):
    return MODELS.build(
        dict(
            type='mcjepa_mm.MapEncoder',
            backbone=dict(
                type='mcjepa_mm.MCJEPAConvNeXt',
                arch=SMALL,
                out_indices=out_indices,
                strides=strides,
            ),
            out_channels=5,
            **encoder,
        )
    )


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(out_indices=(1, 2, 3), level=1),
        dict(out_indices=(4, 5), strides=(2, 2, 2, 1, 1, 1)),
    ],
)
def test_is_the_map_through_a_product_at_each_place(options):
    torch.manual_seed(0)
    encoder = build(**options)
    x = torch.randn(2, 3, 64, 72)
    out = encoder(x)
    assert out.shape == (2, 5, 8, 9)
    # RAFT's correlation pyramid takes it apart with `view`.
    assert out.is_contiguous()
    feat = encoder.backbone(x)[options.get('level', -1)]
    weight = encoder.project.weight[:, :, 0, 0]
    expected = torch.einsum('oc,nchw->nohw', weight, feat)
    expected += encoder.project.bias[:, None, None]
    torch.testing.assert_close(out, expected)
    assert (encoder.in_channels, encoder.out_channels) == (3, 5)


def resnet(**encoder):
    return MODELS.build(
        dict(
            type='mcjepa_mm.MapEncoder',
            backbone=dict(
                type='mmpretrain.ResNet', depth=18, out_indices=(1,)
            ),
            out_channels=5,
            **encoder,
        )
    )


def test_a_backbone_that_does_not_tell_its_channels():
    with pytest.raises(ValueError, match='ResNet.*Set `map_channels`'):
        resnet()
    encoder = resnet(map_channels=128)
    assert encoder(torch.zeros(1, 3, 64, 64)).shape == (1, 5, 8, 8)


def test_a_level_that_is_not_there():
    with pytest.raises(ValueError, match='map 1 of MCJEPAConvNeXt'):
        build(level=1)


@pytest.mark.parametrize(
    'out_indices, size',
    [((1,), (64, 64)), ((3,), (64, 64)), ((2,), (64, 68))],
)
def test_the_stride_is_8(out_indices, size):
    encoder = build(out_indices)
    with pytest.raises(ValueError, match=rf'stride 8, got .*, {size[1]}\)'):
        encoder(torch.zeros(1, 3, *size))
