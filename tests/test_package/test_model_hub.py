"""MC-JEPA's models by their names in mmpretrain."""

import numpy as np
import pytest
import torch
from mmengine.runner import load_checkpoint

import mcjepa_mm.model_hub as model_hub
from mcjepa_mm.models.backbones import MCJEPAConvNeXt, read_backbone

MICRO = dict(depths=(1, 1, 2, 1), channels=(48, 96, 160, 224))
NAMES = {
    'mcjepa-convnext-micro',
    'mcjepa_convnext-micro',
    'mcjepa_convnext-micro_1xb64-linear-coslr-10e_embedded',
    'mcjepa_convnext-tiny',
    'mcjepa_convnext-tiny_8xb32-linear-coslr-100e_in1k',
}
PROBE = 'mcjepa_convnext-micro_1xb64-linear-coslr-10e_embedded'


@pytest.fixture(scope='module')
def mmpretrain():
    return pytest.importorskip('mmpretrain')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """Encoder and another task's head, as the pretraining writes them."""
    torch.manual_seed(5)
    encoder = MCJEPAConvNeXt(MICRO, layer_scale_init_value=0.0)
    state = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    state['heads.content.x'] = torch.zeros(1)
    path = tmp_path_factory.mktemp('hub') / 'epoch_1.pth'
    torch.save(dict(state_dict=state, meta={}), path)
    return str(path), encoder.eval()


@pytest.mark.slow
def test_all_that_are_listed_can_be_built(mmpretrain):
    assert set(mmpretrain.list_models('mcjepa*')) == NAMES
    assert 'resnet50_8xb32_in1k' in mmpretrain.list_models()
    for name in NAMES:
        model = mmpretrain.get_model(name)
        probe = 'linear' in name
        assert model.with_head == probe and not model.training
        stage = 'pre_logits' if probe else 'neck'
        embedding = model.extract_feat(torch.rand(1, 3, 64, 64), stage=stage)
        width = 768 if 'tiny' in name else 224
        assert torch.stack([*embedding]).shape[-1] == width
        if probe:
            assert model(torch.rand(1, 3, 64, 64)).shape[1] in (10, 1000)


def test_a_pretraining_s_checkpoint_fills_the_encoder(
    mmpretrain, checkpoint, capsys
):
    path, encoder = checkpoint
    model = mmpretrain.get_model('mcjepa_convnext-micro', pretrained=path)
    inputs = torch.rand(2, 3, 64, 128)
    (embedding,) = model.extract_feat(inputs)
    torch.testing.assert_close(embedding, encoder(inputs)[-1].mean(dim=(2, 3)))
    assert 'missing keys' not in capsys.readouterr().out
    # With a probe, what the checkpoint lacks is said.
    model = mmpretrain.get_model(PROBE, pretrained=path)
    (feat,) = model.extract_feat(inputs, stage='backbone')
    torch.testing.assert_close(feat, encoder(inputs)[-1])
    said = capsys.readouterr().out
    assert 'missing keys in source state_dict: ' in said
    assert 'head.fc.weight' in said and ' backbone.' not in said


def test_settings_can_be_changed(mmpretrain, checkpoint):
    path, _encoder = checkpoint
    model = mmpretrain.get_model(
        'mcjepa_convnext-micro',
        pretrained=path,
        backbone=dict(out_indices=(2, 3, 4, 5), strides=(2, 2, 1, 2, 2, 2)),
    )
    inputs = torch.rand(1, 3, 64, 64)
    maps = model.extract_feat(inputs, stage='backbone')
    assert [x.shape[-1] for x in maps] == [16, 8, 4, 2]
    pooled = model.extract_feat(inputs)
    assert [x.shape for x in pooled] == [(1, c) for c in MICRO['channels']]
    model = mmpretrain.get_model(
        'mcjepa_convnext-tiny', backbone=dict(arch='atto')
    )
    assert model.extract_feat(inputs)[0].shape == (1, 320)


def test_a_foreign_checkpoint_is_refused(mmpretrain, checkpoint, tmp_path):
    path, _ = checkpoint
    with pytest.raises(ValueError, match='No key of the checkpoint fits'):
        mmpretrain.get_model('mcjepa_convnext-tiny', pretrained=path)
    foreign = tmp_path / 'resnet.pth'
    torch.save({'backbone.layer1.0.conv1.weight': torch.zeros(1)}, foreign)
    with pytest.raises(ValueError, match='No key of the checkpoint fits'):
        mmpretrain.get_model(PROBE, pretrained=str(foreign))
    with pytest.raises(FileNotFoundError):
        mmpretrain.get_model(PROBE, pretrained=str(tmp_path / 'no.pth'))


@pytest.mark.parametrize('name', ['mcjepa-convnext-micro', PROBE[:21]])
def test_weights_come_with_the_package(mmpretrain, name, capsys):
    model = mmpretrain.get_model(name, pretrained=True)
    for key, value in read_backbone('micro').state_dict.items():
        found = model.backbone.state_dict()[key]
        assert found.dtype == torch.float32 and torch.equal(found, value)
    assert 'source state_dict' not in capsys.readouterr().out
    # there are none of the others
    with pytest.warns(UserWarning, match='pre-defined'):
        mmpretrain.get_model('mcjepa_convnext-tiny', pretrained=True)


@pytest.mark.parametrize('name', ['mcjepa-convnext-micro', 'mcjepa://micro'])
def test_mmengine_loads_weights_by_name(name):
    init_cfg = dict(type='Pretrained', checkpoint=name, prefix='backbone.')
    backbone = MCJEPAConvNeXt(
        MICRO, layer_scale_init_value=0.0, init_cfg=init_cfg
    )
    backbone.init_weights()
    for key, value in read_backbone('micro').state_dict.items():
        assert torch.equal(backbone.state_dict()[key], value)


@pytest.mark.parametrize('name', ['mcjepa-convnext-nano', 'mcjepa://nano'])
def test_mmengine_is_told_the_names(name):
    with pytest.raises(FileNotFoundError, match=f'{name}.*micro'):
        load_checkpoint(torch.nn.Linear(1, 1), name)


def test_inferencers_take_them(mmpretrain, checkpoint):
    path, _encoder = checkpoint
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (80, 100, 3), np.uint8)] * 3
    extract = mmpretrain.FeatureExtractor('mcjepa_convnext-micro', path)
    found = extract(pictures, batch_size=2)
    assert [x.shape for (x,) in found] == 3 * [(224,)]
    (feat,) = extract(pictures[0], stage='backbone')[0]
    assert feat.shape == (224, 1, 1)
    torch.testing.assert_close(feat[:, 0, 0], found[0][0])
    classify = mmpretrain.ImageClassificationInferencer(PROBE, path)
    (result,) = classify(pictures[0])
    assert 0 <= result['pred_label'] < 10


def test_a_missing_index_spares_mmpretrain(monkeypatch, tmp_path):
    monkeypatch.setattr(model_hub, '_INDEX', tmp_path / 'metafile.yml')
    with pytest.warns(UserWarning, match='metafile.yml'):
        model_hub._register(None)


ORDERS = {
    'after': 'import mmpretrain, mcjepa_mm',
    'before, twice': 'import importlib, mcjepa_mm, mmpretrain\n'
    'importlib.reload(mcjepa_mm)',
}


@pytest.mark.slow
@pytest.mark.parametrize('order', ORDERS)
def test_an_installed_wheel_tells_mmpretrain(order, site, run, tmp_path):
    done = run(
        'python',
        '-W',
        'error::UserWarning:mcjepa_mm',
        '-c',
        f'{ORDERS[order]}\n'
        "model = mmpretrain.get_model('mcjepa_convnext-micro', True)\n"
        "print(sorted(mmpretrain.list_models('mcjepa*')))\n"
        'print(mcjepa_mm.__file__, model.backbone.out_channels)',
        cwd=tmp_path,
        path=site,
    )
    assert done.returncode == 0, done.stderr
    names, place = done.stdout.splitlines()[-2:]
    assert names == str(sorted(NAMES))
    assert place == f'{site}/mcjepa_mm/__init__.py (224,)'
