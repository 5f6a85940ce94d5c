"""timm's and mmpretrain's ConvNeXt on the encoder's weights, and back."""

import pytest
import torch

import mcjepa_mm  # noqa: F401  (patches imports)
from mcjepa_mm.exports import convert_keys
from mcjepa_mm.exports.publish import publish
from mcjepa_mm.models.backbones import (
    MCJEPAConvNeXt,
    SplitStem,
    read_backbone,
)

PYRAMID = (2, 3, 4, 5)
STEM_KEYS = 4 + 4 + 4


def image(size=64, channels=3):
    torch.manual_seed(1)
    return torch.randn(2, channels, size, size)


def timm_model(settings, **stem):
    from timm.models import ConvNeXt

    model = ConvNeXt(num_classes=0, **settings)
    model.stem = SplitStem(
        settings['dims'][0], in_channels=settings['in_chans'], **stem
    )
    model.reset_classifier(0, reset_other=True)
    return model.eval()


def mmpretrain_model(settings):
    from mmpretrain.models import ConvNeXt

    model = ConvNeXt(
        **settings, out_indices=[0, 1, 2, 3], gap_before_final_norm=False
    )
    model.downsample_layers[0] = SplitStem(
        model.channels[0], in_channels=settings['in_channels']
    )
    for i in range(4):
        setattr(model, f'norm{i}', torch.nn.Identity())
    model.eval()  # which returns None in mmpretrain 1.2.0
    return model


@pytest.mark.parametrize('conv_mlp', [False, True])
@pytest.mark.parametrize(
    'settings',
    [
        dict(),
        dict(layer_scale_init_value=0),
        dict(in_channels=1),
        dict(arch='atto'),
    ],
    ids=str,
)
def test_equal_outputs_in_timm(encoder, save, tmp_path, settings, conv_mlp):
    ours = encoder(**settings, out_indices=PYRAMID)
    out = tmp_path / 'timm.pth'
    convert_keys(save(ours), out, to='timm', conv_mlp=conv_mlp)
    content = torch.load(out, weights_only=True)
    theirs = timm_model(content['meta']['settings'])
    theirs.load_state_dict(content['state_dict'])
    x = image(channels=settings.get('in_channels', 3))
    with torch.no_grad():
        expected = ours(x)
        feats = theirs.forward_intermediates(x, intermediates_only=True)
        pooled = theirs(x)
    torch.testing.assert_close(feats, list(expected), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        pooled, expected[-1].mean((2, 3)), rtol=1e-4, atol=1e-5
    )
    assert pooled.std() > 1e-3


def test_a_model_by_its_name_in_timm(encoder, save, tmp_path):
    """timm's arch of the name has our depths, widths and conv_mlp."""
    import timm

    strides = (2, 2, 1, 2, 2, 2)
    ours = encoder(arch='atto', out_indices=PYRAMID, strides=strides)
    out = tmp_path / 'timm.safetensors'
    convert_keys(save(ours), out, to='timm', conv_mlp=True)
    theirs = timm.create_model('convnext_atto', num_classes=0)
    theirs.stem = SplitStem(40, strides=strides[:3])
    theirs.reset_classifier(0, reset_other=True)
    timm.models.load_checkpoint(theirs.eval(), str(out))
    x = image(96)
    with torch.no_grad():
        expected = ours(x)
        feats = theirs.forward_intermediates(x, intermediates_only=True)
    torch.testing.assert_close(feats, list(expected), rtol=1e-4, atol=1e-5)
    told = [info['reduction'] for info in theirs.feature_info]
    assert [96 // feat.shape[-1] for feat in feats] == told == [4, 8, 16, 32]


def test_batch_norm_is_for_timm_with_conv_mlp(encoder, save, tmp_path):
    ours = encoder(norm_cfg=dict(type='BN'), out_indices=PYRAMID)
    checkpoint, out = save(ours), tmp_path / 'timm.pth'
    for options in [dict(to='timm'), dict(to='mmpretrain', conv_mlp=True)]:
        with pytest.raises(ValueError, match='conv_mlp'):
            convert_keys(checkpoint, out, **options)
        assert not out.exists()
    convert_keys(checkpoint, out, to='timm', conv_mlp=True)
    content = torch.load(out, weights_only=True)
    theirs = timm_model(content['meta']['settings'], norm_cfg=dict(type='BN'))
    theirs.load_state_dict(content['state_dict'])
    with torch.no_grad():
        feats = theirs.forward_intermediates(image(), intermediates_only=True)
        expected = ours(image())
    torch.testing.assert_close(feats, list(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('conv_mlp', [False, True])
@pytest.mark.parametrize('layer_scale', [0, 1e-6])
def test_equal_outputs_in_mmpretrain(
    encoder, save, tmp_path, layer_scale, conv_mlp
):
    from mmengine.runner import load_checkpoint

    ours = encoder(layer_scale_init_value=layer_scale, out_indices=PYRAMID)
    out = tmp_path / 'mmpretrain.pth'
    done = convert_keys(save(ours), out, to='mmpretrain', conv_mlp=conv_mlp)
    theirs = mmpretrain_model(done.settings)
    load_checkpoint(
        theirs,
        str(out),
        strict=True,
        revise_keys=[(r'^backbone\.', '')],
    )
    with torch.no_grad():
        torch.testing.assert_close(
            theirs(image()), ours(image()), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    'libraries, conv_mlp, suffix',
    [
        (['timm'], False, '.pth'),
        (['timm'], True, '.safetensors'),
        (['mmpretrain'], False, '.safetensors'),
        (['mmpretrain'], True, '.pth'),
        (['mmpretrain', 'timm', 'mmpretrain'], True, '.pth'),
    ],
)
@pytest.mark.parametrize('layer_scale', [0, 1e-6])
def test_there_and_back(
    encoder, save, tmp_path, libraries, conv_mlp, suffix, layer_scale
):
    ours = encoder(layer_scale_init_value=layer_scale)
    checkpoint = path = save(ours)
    for i, library in enumerate([*libraries, 'mcjepa']):
        out = tmp_path / f'{i}{suffix}'
        done = convert_keys(
            path,
            out,
            to=library,
            conv_mlp=conv_mlp and library != 'mcjepa',
        )
        assert (done.left_out, done.missing) == ((), ())
        assert done.taken == len(ours.state_dict())
        path = out
    before, after = read_backbone(checkpoint), read_backbone(path)
    assert after.settings == before.settings == done.settings
    assert after.state_dict.keys() == before.state_dict.keys()
    for key, value in before.state_dict.items():
        assert torch.equal(after.state_dict[key], value), key
    publish(path)


def test_batch_norm_there_and_back(encoder, save, tmp_path):
    ours = encoder(norm_cfg=dict(type='BN'))
    there, back = tmp_path / 'there.pth', tmp_path / 'back.pth'
    convert_keys(save(ours), there, to='timm', conv_mlp=True)
    convert_keys(there, back, to='mcjepa')
    after = read_backbone(back)
    assert after.settings['norm_cfg'] == dict(type='BN')
    MCJEPAConvNeXt(**after.settings).load_state_dict(after.state_dict)
    for key, value in ours.state_dict().items():
        assert torch.equal(after.state_dict[key], value), key


def published(library, conv_mlp):
    """A stock ConvNeXt with its classifier, and the names in a checkpoint."""
    if library == 'timm':
        from timm.models import ConvNeXt

        model = ConvNeXt(
            depths=(1, 2, 1, 1),
            dims=(8, 16, 24, 32),
            conv_mlp=conv_mlp,
            num_classes=5,
            ls_init_value=0.5,
        )
        return model, model.state_dict()
    from mmpretrain.models import ConvNeXt

    model = ConvNeXt(
        dict(depths=(1, 2, 1, 1), channels=(8, 16, 24, 32)),
        linear_pw_conv=not conv_mlp,
        layer_scale_init_value=0.5,
    )
    weights = {f'backbone.{k}': v for k, v in model.state_dict().items()}
    weights['head.fc.weight'] = torch.ones(5, 32)
    return model, weights


@pytest.mark.parametrize('conv_mlp', [False, True])
@pytest.mark.parametrize(
    'library, left_out',
    [
        (
            'timm',
            {
                *('stem.0.weight', 'stem.0.bias'),
                *('stem.1.weight', 'stem.1.bias'),
                *('head.norm.weight', 'head.norm.bias'),
                *('head.fc.weight', 'head.fc.bias'),
            },
        ),
        (
            'mmpretrain',
            {
                *(
                    'downsample_layers.0.0.weight',
                    'downsample_layers.0.0.bias',
                ),
                *(
                    'downsample_layers.0.1.weight',
                    'downsample_layers.0.1.bias',
                ),
                *('norm3.weight', 'norm3.bias'),
                'head.fc.weight',
            },
        ),
    ],
)
def test_a_published_convnext_fills_the_stages(
    tmp_path, library, left_out, conv_mlp
):
    torch.manual_seed(0)
    theirs, weights = published(library, conv_mlp)
    path, out = tmp_path / 'theirs.pth', tmp_path / 'ours.pth'
    torch.save(dict(state_dict=weights), path)
    done = convert_keys(path, out, to='mcjepa')
    assert (done.source, set(done.left_out)) == (library, left_out)
    assert len(done.missing) == STEM_KEYS
    assert done.taken == len(weights) - len(left_out)

    init_cfg = dict(type='Pretrained', checkpoint=str(out), prefix='backbone.')
    ours = MCJEPAConvNeXt(**done.settings, init_cfg=init_cfg)
    ours.init_weights()
    x = torch.randn(1, 8, 16, 16)
    with torch.no_grad():
        y = ours.stages[0](x)
        for i in (1, 2, 3):
            y = ours.stages[i](ours.downsample_layers[i](y))
        for i in range(4):
            if library == 'mmpretrain' and i:
                x = theirs.downsample_layers[i](x)
            x = theirs.stages[i](x)
    torch.testing.assert_close(y, x, rtol=1e-4, atol=1e-5)

    other = dict(timm='mmpretrain', mmpretrain='timm')[library]
    with pytest.raises(ValueError, match='theirs.pth.*stem'):
        convert_keys(path, tmp_path / 'no.pth', to=other)
    assert not (tmp_path / 'no.pth').exists()


def test_what_is_no_such_convnext_is_refused(tmp_path):
    import timm
    from timm.models import ConvNeXt

    size = dict(depths=(1, 1, 1, 1), dims=(8, 16, 24, 32), num_classes=0)
    path, out = tmp_path / 'x.pth', tmp_path / 'out' / 'y.pth'
    for model, message in [
        (timm.create_model('resnet10t'), 'mcjepa, mmp'),
        (ConvNeXt(**size, use_grn=True), 'V2'),
        (ConvNeXt(**size, norm_layer='rmsnorm'), 'layers.1.0.bias'),
        (ConvNeXt(**size, kernel_sizes=5), '4 tensors'),
        (ConvNeXt(**size, conv_bias=False), 'downsample_layers.1.1.bias'),
    ]:
        torch.save(model.state_dict(), path)
        with pytest.raises(ValueError, match=f'x.pth .*{message}'):
            convert_keys(path, out, to='mcjepa')
    path.write_bytes(b'\x00\x01')
    with pytest.raises(ValueError, match='x.pth'):
        convert_keys(path, out, to='mcjepa')
    with pytest.raises(FileNotFoundError, match='nothing.pth'):
        convert_keys(tmp_path / 'nothing.pth', out, to='timm')
    assert not out.parent.exists()


def test_extra_weights_in_the_stages_are_refused(encoder, save, tmp_path):
    checkpoint = save(encoder())
    content = torch.load(checkpoint)
    content['state_dict']['backbone.stages.0.0.lora.weight'] = torch.ones(1)
    torch.save(content, checkpoint)
    with pytest.raises(ValueError, match='stages.0.0.lora.wei'):
        convert_keys(checkpoint, tmp_path / 'out.pth', to='timm')
    assert not (tmp_path / 'out.pth').exists()


def test_wrong_requests(encoder, save, tmp_path):
    checkpoint, out = save(encoder()), tmp_path / 'out.pth'
    for error, message, options in [
        (ValueError, 'torchvision', dict(to='torchvision')),
        (ValueError, 'mcjepa', dict(to='mcjepa')),
        (ValueError, 'conv_mlp', dict(to='mcjepa', conv_mlp=True)),
        (ValueError, 'out.pt', dict(to='timm', out='out.pt')),
        (FileExistsError, checkpoint.name, dict(to='timm', out=checkpoint)),
    ]:
        before = checkpoint.read_bytes()
        with pytest.raises(error, match=message):
            convert_keys(checkpoint, **dict(dict(out=out), **options))
        assert checkpoint.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.name]
