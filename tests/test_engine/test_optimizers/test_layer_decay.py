"""Learning rates that decay with depth, and weight decay beside them."""

import pytest
from mmengine.optim import build_optim_wrapper
from torch import nn

import mcjepa_mm.engine  # noqa: F401
from mcjepa_mm.models.backbones import MCJEPAConvNeXt

RATE = 0.9


class Model(nn.Module):
    def __init__(self, depths=(1, 1, 7, 2)):
        super().__init__()
        self.backbone = MCJEPAConvNeXt(
            dict(depths=depths, channels=(4, 6, 8, 10))
        )
        self.decode_head = nn.Conv2d(10, 3, 1)


def build(model, **paramwise):
    return build_optim_wrapper(
        model,
        dict(
            constructor='mcjepa_mm.LayerDecayOptimWrapperConstructor',
            optimizer=dict(type='AdamW', lr=0.5, weight_decay=0.05),
            paramwise_cfg=paramwise,
        ),
    )


def groups_by_name(model, wrapper):
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        names[id(group['params'][0])]: group
        for group in wrapper.optimizer.param_groups
    }


def test_rates_by_hand():
    """SceneSet 2 has 7 blocks, so three groups; with the head 8 groups."""
    model = Model()
    found = groups_by_name(
        model, build(model, layer_decay_rate=RATE, flat_decay_mult=0.0)
    )
    assert set(found) == {name for name, _ in model.named_parameters()}
    expected = {
        'decode_head.weight': 0,
        'backbone.stages.3.1.pointwise_conv1.weight': 1,
        'backbone.downsample_layers.3.1.weight': 1,
        'backbone.stages.2.6.pointwise_conv1.weight': 2,
        'backbone.stages.2.5.pointwise_conv1.weight': 3,
        'backbone.stages.2.0.depthwise_conv.weight': 4,
        'backbone.downsample_layers.2.1.weight': 4,
        'backbone.stages.1.0.gamma': 5,
        'backbone.downsample_layers.1.0.weight': 5,
        'backbone.stages.0.0.norm.bias': 6,
        'backbone.downsample_layers.0.1.weight': 7,
        'backbone.stem.0.0.weight': 7,
        'backbone.stem.1.1.weight': 7,
    }
    for name, power in expected.items():
        assert found[name]['lr'] == pytest.approx(0.5 * RATE**power), name


def test_flat_parameters_have_no_weight_decay():
    model = Model()
    found = groups_by_name(
        model, build(model, layer_decay_rate=RATE, flat_decay_mult=0.0)
    )
    for name, param in model.named_parameters():
        decay = 0.0 if param.dim() == 1 else 0.05
        assert found[name]['weight_decay'] == decay, name


def test_custom_keys_stay_in_force():
    model = Model()
    found = groups_by_name(
        model,
        build(
            model,
            layer_decay_rate=RATE,
            custom_keys={'decode_head': dict(lr_mult=10.0)},
        ),
    )
    assert found['decode_head.weight']['lr'] == pytest.approx(5.0)
    assert found['decode_head.weight']['weight_decay'] == 0.05


@pytest.mark.parametrize('depths', [(3, 3, 9, 3), (3, 3, 27, 3)])
def test_groups_are_those_of_mmpretrain(depths):
    """For ConvNeXt's own depths and the layers that both have."""
    mmpretrain = pytest.importorskip('mmpretrain.models')
    arch = dict(depths=depths, channels=(4, 6, 8, 10))
    ours = MCJEPAConvNeXt(arch)
    theirs = mmpretrain.ConvNeXt(dict(arch))
    compared = 0
    for name, _ in ours.named_parameters(prefix='backbone'):
        if 'stem' in name or 'downsample_layers.0' in name:
            continue
        assert ours.get_layer_depth(
            name, 'backbone.'
        ) == theirs.get_layer_depth(name, 'backbone.')
        compared += 1
    assert compared > 100
    assert ours.get_layer_depth(
        'head.fc', 'backbone.'
    ) == theirs.get_layer_depth('head.fc', 'backbone.')


def test_needs_a_rate():
    with pytest.raises(KeyError, match='layer_decay_rate'):
        build(Model(), norm_decay_mult=0.0)


def test_needs_a_backbone_with_groups():
    model = Model()
    model.backbone = nn.Conv2d(3, 10, 1)
    with pytest.raises(TypeError, match='Conv2d has no get_layer_depth'):
        build(model, layer_decay_rate=RATE)
