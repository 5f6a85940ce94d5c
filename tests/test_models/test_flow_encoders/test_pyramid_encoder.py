import pytest
import torch
from mmengine.registry import DefaultScope

from mcjepa_mm.registry import MODELS

SMALL = dict(depths=(1, 1, 1, 1), channels=(8, 16, 24, 32))
NAMES = [f'level{i}' for i in range(1, 7)]


def build(level_names=NAMES, **backbone):
    return MODELS.build(
        dict(
            type='mcjepa_mm.PyramidEncoder',
            backbone=dict(
                type='mcjepa_mm.MCJEPAConvNeXt', arch=SMALL, **backbone
            ),
            level_names=level_names,
        )
    )


def test_levels_have_names_and_the_backbones_maps():
    torch.manual_seed(0)
    encoder = build()
    x = torch.randn(2, 3, 64, 128)
    levels = encoder(x)
    assert list(levels) == NAMES
    for level, expected in zip(levels.values(), encoder.backbone(x)):
        assert torch.equal(level, expected)
    strides = [x.shape[-1] // level.shape[-1] for level in levels.values()]
    assert strides == [2, 4, 8, 16, 32, 64]
    assert encoder.in_channels == 3


@pytest.mark.parametrize(
    'level_names, out_indices', [(NAMES, (0, 1)), (['level1'], (0, 1))]
)
def test_one_name_a_level(level_names, out_indices):
    encoder = build(level_names, out_indices=out_indices)
    with pytest.raises(
        ValueError, match=rf'names {len(level_names)} .*returned 2 maps'
    ):
        encoder(torch.zeros(1, 3, 64, 64))


def pwcnet(**backbone):
    """A PWC-Net whose own init_cfg is for the convolutions of all parts."""
    from mmflow.registry import MODELS as MMFLOW_MODELS

    with DefaultScope.overwrite_default_scope('mmflow'):
        return MMFLOW_MODELS.build(
            dict(
                type='PWCNet',
                encoder=dict(
                    type='mcjepa_mm.PyramidEncoder',
                    backbone=dict(
                        type='mcjepa_mm.MCJEPAConvNeXt', arch=SMALL, **backbone
                    ),
                    level_names=NAMES,
                ),
                decoder=dict(
                    type='PWCNetDecoder',
                    in_channels=dict(level6=81, level5=81 + 24 + 4),
                    flow_div=20.0,
                    corr_cfg=dict(type='Correlation', max_displacement=4),
                    densefeat_channels=(4, 4),
                ),
                init_cfg=dict(
                    type='Constant',
                    layer=['Conv2d', 'ConvTranspose2d'],
                    val=0.25,
                    bias=7,
                ),
            )
        )


def decoder_was_initialised(model):
    weight = model.decoder.decoders['level6'].predict_layer.weight
    return bool((weight == 0.25).all())


def test_a_checkpoint_wins_over_the_models_initialisation(tmp_path):
    torch.manual_seed(0)
    source = MODELS.build(dict(type='MCJEPAConvNeXt', arch=SMALL))
    for parameter in source.parameters():
        torch.nn.init.normal_(parameter)
    weights = {f'backbone.{k}': v for k, v in source.state_dict().items()}
    path = str(tmp_path / 'pretrained.pth')
    torch.save(dict(state_dict=weights), path)

    model = pwcnet(
        init_cfg=dict(type='Pretrained', checkpoint=path, prefix='backbone.')
    )
    model.init_weights()
    loaded = model.encoder.backbone.state_dict()
    for key, value in source.state_dict().items():
        assert torch.equal(loaded[key], value), key
    assert decoder_was_initialised(model)


def test_the_backbones_own_initialisation_wins_over_the_models():
    model = pwcnet()
    model.init_weights()
    for name, parameter in model.encoder.named_parameters():
        assert not (parameter == 0.25).any(), name
        assert not (parameter == 7).any(), name
    assert decoder_was_initialised(model)
