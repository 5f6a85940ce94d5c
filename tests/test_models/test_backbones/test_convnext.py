"""The encoder: shapes, parameters, equality with mmpretrain's ConvNeXt."""

import pytest
import torch
from mmengine.runner import load_checkpoint
from torch import nn

import mcjepa_mm  # noqa: F401  (patches imports)
from mcjepa_mm.models.backbones import MCJEPAConvNeXt
from mcjepa_mm.models.backbones.convnext import ARCHS

SMALL = dict(depths=(1, 1, 2, 1), channels=(8, 16, 24, 32))


def convnext_parameters(depths, channels, layer_scale):
    """Number of parameters by hand, from the table in the docstring."""
    half = channels[0] // 2
    total = 3 * half * 16 + half + 2 * half  # conv k4, bias, norm
    total += half * half * 9 + half + 2 * half  # conv k3, bias, norm
    for before, width, depth in zip(
        (half, *channels), channels, depths, strict=False
    ):
        total += 2 * before + before * width * 4 + width
        block = 49 * width + width + 2 * width
        block += width * 4 * width + 4 * width + 4 * width * width + width
        total += depth * (block + (width if layer_scale else 0))
    return total


@pytest.mark.parametrize('arch', ['atto', 'tiny'])
@pytest.mark.parametrize('layer_scale', [0.0, 1e-6])
def test_parameter_count(arch, layer_scale):
    model = MCJEPAConvNeXt(arch, layer_scale_init_value=layer_scale)
    expected = convnext_parameters(
        **ARCHS[arch], layer_scale=bool(layer_scale)
    )
    assert sum(p.numel() for p in model.parameters()) == expected
    if arch == 'tiny' and not layer_scale:
        # "depths (3, 3, 9, 3) with dims 96..768 compute to 27.86 M" (I)
        assert abs(expected - 27.86e6) < 0.02e6


def test_paper_pyramid():
    """A 224 px image gives maps of 112, 56, 28, 14, 7, 3 (T)."""
    model = MCJEPAConvNeXt('tiny').eval()
    with torch.no_grad():
        feats = model(torch.zeros(1, 3, 224, 224))
    assert [x.shape[-1] for x in feats] == [112, 56, 28, 14, 7, 3]
    assert [x.shape[1] for x in feats] == [48, 48, 96, 192, 384, 768]
    assert model.out_channels == (48, 48, 96, 192, 384, 768)
    assert model.out_strides == (2, 4, 8, 16, 32, 64)


@pytest.mark.parametrize(
    'strides, expected',
    [
        ((2, 2, 2, 2, 2, 1), (2, 4, 8, 16, 32, 32)),
        ((2, 2, 1, 2, 2, 2), (2, 4, 4, 8, 16, 32)),
        ((1, 1, 1, 1, 1, 1), (1, 1, 1, 1, 1, 1)),
    ],
)
def test_strides_keep_the_weights(strides, expected):
    model = MCJEPAConvNeXt(SMALL, strides=strides)
    model.load_state_dict(MCJEPAConvNeXt(SMALL).state_dict())
    assert model.out_strides == expected
    feats = model(torch.zeros(1, 3, 64, 128))
    for feat, stride in zip(feats, expected, strict=True):
        assert feat.shape[-2:] == (64 // stride, 128 // stride)


def test_lower_stride_computes_a_superset():
    """With its last stride lowered, every other cell is the old one."""
    coarse = MCJEPAConvNeXt(dict(SMALL, depths=(1, 1, 1, 0)))
    fine = MCJEPAConvNeXt(
        dict(SMALL, depths=(1, 1, 1, 0)), strides=(2, 2, 2, 2, 2, 1)
    )
    fine.load_state_dict(coarse.state_dict())
    x = torch.randn(1, 3, 128, 128)
    torch.testing.assert_close(fine(x)[5][..., ::2, ::2], coarse(x)[5])


@pytest.mark.parametrize('arch', ['atto', 'tiny'])
def test_stages_equal_mmpretrain(arch):
    """The four stages, fed with the same map, give mmpretrain's result."""
    from mmpretrain.models import ConvNeXt

    torch.manual_seed(0)
    theirs = ConvNeXt(
        arch, out_indices=[0, 1, 2, 3], layer_scale_init_value=0.5
    )
    theirs.init_weights()
    ours = MCJEPAConvNeXt(arch, layer_scale_init_value=0.5)
    report = ours.load_state_dict(theirs.state_dict(), strict=False)
    # What does not load is the stem on our side and, on theirs, the stem and
    # the output norms.
    assert all(
        key.startswith(('stem.', 'downsample_layers.0.'))
        for key in report.missing_keys
    )
    assert all(key.startswith('norm') for key in report.unexpected_keys)
    theirs.eval(), ours.eval()
    x = torch.randn(1, ours.stages[0][0].depthwise_conv.in_channels, 16, 16)
    y = x
    with torch.no_grad():
        for i in range(4):
            if i:
                x = ours.downsample_layers[i](x)
                y = theirs.downsample_layers[i](y)
            for mine, other in zip(
                ours.stages[i], theirs.stages[i], strict=True
            ):
                x, y = mine(x), other(y)
                torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-5)


def test_published_checkpoint_loads_through_init_cfg(tmp_path):
    from mmpretrain.models import ConvNeXt

    theirs = ConvNeXt('atto')
    weights = {f'backbone.{k}': v for k, v in theirs.state_dict().items()}
    path = str(tmp_path / 'convnext.pth')
    torch.save(dict(state_dict=weights), path)
    ours = MCJEPAConvNeXt(
        'atto',
        init_cfg=dict(type='Pretrained', checkpoint=path, prefix='backbone.'),
    )
    ours.init_weights()
    for name in (
        'stages.2.5.pointwise_conv1.weight',
        'stages.0.0.gamma',
        'downsample_layers.3.1.weight',
    ):
        torch.testing.assert_close(
            ours.state_dict()[name], theirs.state_dict()[name]
        )


def test_checkpoint_without_a_matching_key_is_refused(tmp_path):
    path = str(tmp_path / 'other.pth')
    torch.save(dict(state_dict={'layer1.conv.weight': torch.zeros(3)}), path)
    with pytest.raises(ValueError, match='No key of the checkpoint fits'):
        load_checkpoint(MCJEPAConvNeXt(SMALL), path)
    model = MCJEPAConvNeXt(
        SMALL,
        init_cfg=dict(type='Pretrained', checkpoint=path, prefix='layer1.'),
    )
    with pytest.raises(ValueError, match='conv.weight'):
        model.init_weights()


@pytest.mark.parametrize(
    'key, value',
    [('stages.3.0.gamma', None), ('stem.0.0.weight', torch.zeros(4, 4, 3, 3))],
)
def test_a_checkpoint_that_fits_in_part_fills_nothing(tmp_path, key, value):
    """mmengine warns, and goes on with what is random."""
    weights = MCJEPAConvNeXt(SMALL).state_dict()
    weights[key] = value
    path = str(tmp_path / 'part.pth')
    torch.save({k: v for k, v in weights.items() if v is not None}, path)
    model = MCJEPAConvNeXt(
        SMALL, init_cfg=dict(type='Pretrained', checkpoint=path)
    )
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(ValueError, match=f"1 of .*'{key}'"):
        model.init_weights()
    torch.testing.assert_close(dict(model.state_dict()), before)


def test_checkpoint_of_another_arch_is_refused():
    wide = dict(SMALL, channels=(40, 48, 56, 64))
    with pytest.raises(ValueError, match='same arch'):
        MCJEPAConvNeXt(SMALL).load_state_dict(
            MCJEPAConvNeXt(wide).state_dict()
        )


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(arch='teeny'), "'teeny'"),
        (dict(arch=dict(depths=(1, 1), channels=(8, 8))), 'four numbers'),
        (dict(arch=dict(SMALL, channels=(7, 8, 8, 8))), 'must be even'),
        (dict(arch=SMALL, out_indices=(0, 6)), r'\(0, 6\)'),
        (dict(arch=SMALL, out_indices=(3, 1)), 'ascending'),
        (dict(arch=SMALL, out_indices=()), 'out_indices'),
        (dict(arch=SMALL, strides=(2, 2, 2, 2, 2, 4)), 'each 1 or 2'),
        (dict(arch=SMALL, frozen_stages=7), 'frozen_stages'),
        (dict(arch=SMALL, norm_cfg=dict(type='XN')), "'XN'"),
    ],
)
def test_bad_arguments_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        MCJEPAConvNeXt(**kwargs)


def test_image_smaller_than_the_total_stride():
    with pytest.raises(ValueError, match='at least 64 x 64.*32 x 128'):
        MCJEPAConvNeXt(SMALL)(torch.zeros(1, 3, 32, 128))


@pytest.mark.parametrize('out_indices', [-1, (2, 3, 4, 5), (0, -1)])
def test_out_indices(out_indices):
    model = MCJEPAConvNeXt(SMALL, out_indices=out_indices).eval()
    full = MCJEPAConvNeXt(SMALL).eval()
    full.load_state_dict(model.state_dict())
    x = torch.randn(1, 3, 64, 64)
    wanted = [
        full(x)[i]
        for i in (
            [out_indices] if isinstance(out_indices, int) else out_indices
        )
    ]
    for a, b in zip(model(x), wanted, strict=True):
        torch.testing.assert_close(a, b)


def test_frozen_levels_stay_as_they_are():
    torch.manual_seed(0)  # else drop path may leave no sample
    model = MCJEPAConvNeXt(
        SMALL, frozen_stages=4, norm_cfg=dict(type='BN'), drop_path_rate=0.5
    ).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=0.1
    )
    model(torch.randn(4, 3, 64, 64))[-1].square().sum().backward()
    optimizer.step()
    frozen = (
        'stem.',
        'downsample_layers.0',
        'downsample_layers.1',
        'stages.0',
        'stages.1',
    )
    for key, value in model.state_dict().items():
        if 'num_batches' in key:
            continue
        same = torch.equal(value, before[key])
        assert same == key.startswith(frozen), key


def test_norm_eval_keeps_running_statistics():
    model = MCJEPAConvNeXt(
        SMALL, norm_cfg=dict(type='BN'), norm_eval=True
    ).train()
    model(torch.randn(4, 3, 64, 64))
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and all(m.num_batches_tracked == 0 for m in norms)
    assert model.stages[0].training


def test_checkpointing_changes_nothing_but_memory():
    torch.manual_seed(0)
    plain = MCJEPAConvNeXt(SMALL, layer_scale_init_value=1.0)
    saving = MCJEPAConvNeXt(SMALL, layer_scale_init_value=1.0, with_cp=True)
    saving.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 64, 64)
    for model in (plain, saving):
        model(x)[-1].square().sum().backward()
    for (name, a), b in zip(
        plain.named_parameters(), saving.parameters(), strict=True
    ):
        torch.testing.assert_close(a.grad, b.grad, msg=name)


def test_drop_path_drops_whole_samples_and_keeps_the_mean():
    from mcjepa_mm.models.backbones.layers import DropPath

    torch.manual_seed(0)
    x = torch.ones(2000, 2, 2, 2)
    y = DropPath(0.25).train()(x)
    kept = y.flatten(1)[:, 0] != 0
    torch.testing.assert_close(y[kept], x[kept] / 0.75)
    assert (y[~kept] == 0).all()
    assert abs(kept.float().mean() - 0.75) < 0.04
    assert torch.equal(DropPath(0.25).eval()(x), x)


@pytest.mark.parametrize('norm', ['LN2d', 'BN'])
def test_features_are_channels_last_without_a_copy(norm):
    model = MCJEPAConvNeXt(SMALL, norm_cfg=dict(type=norm))
    feats = model(torch.randn(2, 3, 64, 128))
    for feat in feats:
        assert feat.is_contiguous(memory_format=torch.channels_last)
