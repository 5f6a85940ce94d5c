import pytest
import torch

from mcjepa_mm.models.backbones import MCJEPAConvNeXt, SplitStem

ARCH = dict(depths=(1, 1, 1, 1), channels=(8, 16, 24, 32))


@pytest.mark.parametrize('strides', [(2, 2, 2), (2, 2, 1), (1, 2, 1)])
@pytest.mark.parametrize('norm', ['LN2d', 'BN'])
def test_it_is_what_the_encoder_does_before_its_stages(strides, norm):
    torch.manual_seed(0)
    options = dict(in_channels=2, norm_cfg=dict(type=norm))
    encoder = MCJEPAConvNeXt(
        ARCH, strides=(*strides, 2, 2, 2), out_indices=(1, 2), **options
    )
    stem = SplitStem(8, strides=strides, **options)
    for i in range(2):
        stem[i].load_state_dict(encoder.stem[i].state_dict())
    stem[2].load_state_dict(encoder.downsample_layers[0].state_dict())
    x = torch.randn(2, 2, 64, 96)
    torch.testing.assert_close(encoder.stages[0](stem(x)), encoder(x)[1])
    scale = torch.tensor(strides).prod()
    assert stem(x).shape == (2, 8, 64 // scale, 96 // scale)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r'3 numbers.* got \(2, 2\)'):
        SplitStem(8, strides=(2, 2))
    with pytest.raises(ValueError, match='must be even.* got 7'):
        SplitStem(7)
