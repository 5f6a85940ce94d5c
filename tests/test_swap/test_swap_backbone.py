"""Swapping a config: what is written, and what bad input leaves behind."""

import warnings
from pathlib import Path

import mmseg
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.structures import SegDataSample

from mcjepa_mm.engine.inherited_scope import read_config
from mcjepa_mm.models.backbones import MCJEPAConvNeXt, read_backbone
from mcjepa_mm.registry import MODELS
from mcjepa_mm.swap import SwapError, swap_backbone

ARCH = dict(depths=(1, 1, 1, 1), channels=(8, 16, 24, 32))
PSPNET = 'mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py'


def build(cfg, scope='mmseg'):
    with (
        DefaultScope.overwrite_default_scope(scope),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter('ignore')
        return MODELS.build(cfg)


def get(cfg, keys):
    for key in keys.split('.'):
        cfg = cfg[key]
    return cfg


def test_a_config_of_this_package_by_its_name(checkpoint, tmp_path):
    out = tmp_path / 'swapped.py'
    report = swap_backbone(
        'fcn_r18_1xb8-300_camvid-192x256', checkpoint=checkpoint, out=out
    )
    assert 'decode_head' in str(report)
    head = Config.fromfile(out).model.decode_head
    assert list(head.in_channels) == [8, 16, 24, 32]
    with pytest.raises(FileNotFoundError, match='fcn_r19'):
        swap_backbone('fcn_r19', checkpoint=checkpoint, out=f'{out}.py')


def test_weights_of_the_package_by_name(tmp_path):
    """The new config names no path of this machine."""
    out = tmp_path / 'swapped.py'
    swap_backbone(
        'fcn_r18_1xb8-300_camvid-192x256', checkpoint='micro', out=out
    )
    cfg = read_config(out)
    assert cfg.model.backbone.init_cfg == dict(
        type='Pretrained',
        checkpoint='mcjepa://mcjepa-convnext-micro',
        prefix='backbone.',
    )
    model = build(cfg.model)
    model.backbone.init_weights()
    trained = read_backbone('micro').state_dict
    for key, value in model.backbone.state_dict().items():
        assert torch.equal(value, trained[key])


def test_a_config_that_inherits_one_of_this_package(checkpoint, tmp_path):
    """Its parts are mmseg's, though mmengine marks them as this package's."""
    name = 'segmentation/fcn_r18_1xb8-300_camvid-192x256.py'
    base = write(tmp_path, f"_base_ = 'mcjepa_mm::{name}'\n")
    models = []
    for config in (base, name.rpartition('/')[2]):
        out = tmp_path / f'swapped{len(models)}.py'
        swap_backbone(config, checkpoint=checkpoint, out=out)
        models.append(read_config(out).model.to_dict())
    assert models[0] == models[1]


@pytest.mark.parametrize(
    'change',
    ['backbone=dict(in_channels=4)', 'data_preprocessor=dict(mean=[1.0] * 4)'],
)
def test_four_channels_are_refused(change, checkpoint, tmp_path):
    base = write(tmp_path, f"_base_ = '{PSPNET}'\nmodel = dict({change})\n")
    out = tmp_path / 'swapped.py'
    with pytest.raises(SwapError, match='4 channels'):
        swap_backbone(base, checkpoint=checkpoint, out=out)
    assert not out.exists()


def test_an_encoder_of_four_channels_is_refused(tmp_path):
    state = MCJEPAConvNeXt(ARCH, in_channels=4).state_dict()
    torch.save(state, tmp_path / 'four.pth')
    with pytest.raises(SwapError, match='3 channels .* encoder reads 4'):
        swap_backbone(
            PSPNET, checkpoint=tmp_path / 'four.pth', out=tmp_path / 'x.py'
        )


def test_dilated_resnet(checkpoint, tmp_path):
    """Strides 4, 8, 8, 8; a head on the last map, another on the third."""
    out = tmp_path / 'swapped.py'
    report = swap_backbone(PSPNET, checkpoint=checkpoint, out=out)
    cfg = Config.fromfile(out)
    assert cfg.model.backbone == dict(
        type='mcjepa_mm.MCJEPAConvNeXt',
        arch=dict(depths=(1, 1, 1, 1), channels=(8, 16, 24, 32)),
        out_indices=(2, 3, 4, 5),
        strides=(2, 2, 1, 2, 1, 1),
        contiguous=True,
        init_cfg=dict(
            type='Pretrained', checkpoint=str(checkpoint), prefix='backbone.'
        ),
    )
    assert cfg.model.pretrained is None
    assert cfg.model.decode_head.in_channels == 32
    assert cfg.model.auxiliary_head.in_channels == 24
    assert 'mcjepa_mm.compat.all' in cfg.custom_imports.imports
    # the rest is the other project's
    base = Config.fromfile(
        Path(mmseg.__file__).parent / '.mim/configs' / PSPNET[7:]
    )
    assert cfg.model.decode_head.channels == base.model.decode_head.channels
    for keys in (
        'train_dataloader.dataset.data_root',
        'train_dataloader.batch_size',
        'optim_wrapper.optimizer.lr',
        'train_cfg.max_iters',
    ):
        assert get(cfg, keys) == get(base, keys)
    # and short
    assert len(out.read_text().splitlines()) < 40
    assert str(report).splitlines()[1].split() == (
        'decode_head PSPHead 2048 ch / 8 32 ch / 8'.split()
    )


@pytest.mark.slow
def test_normalisation_is_the_pretrainings(checkpoint, tmp_path):
    """Segmenter's is mean and std 127.5."""
    out = tmp_path / 'swapped.py'
    report = swap_backbone(
        'mmseg::segmenter_vit-s_fcn_8xb1-160k_ade20k-512x512',
        checkpoint=checkpoint,
        out=out,
    )
    preprocessor = Config.fromfile(out).model.data_preprocessor
    assert preprocessor.mean == [123.675, 116.28, 103.53]
    assert preprocessor.std == [58.395, 57.12, 57.375]
    assert preprocessor.bgr_to_rgb is True
    assert any('127.5' in note for note in report.notes)


@pytest.mark.slow
def test_two_paths_meet_on_any_image(checkpoint, tmp_path):
    """BiSeNetV1 concatenates maps that round an odd side up and down."""
    out = tmp_path / 'swapped.py'
    swap_backbone(
        'mmseg::bisenetv1_r18-d32_4xb4-160k_cityscapes-1024x1024',
        checkpoint=checkpoint,
        out=out,
    )
    model = build(Config.fromfile(out).model).eval()
    size = (129, 193)
    image = torch.zeros(3, *size, dtype=torch.uint8)
    sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))
    with torch.no_grad():
        (sample,) = model.test_step(
            dict(inputs=[image], data_samples=[sample])
        )
    assert sample.pred_sem_seg.shape == size


def test_a_config_of_ones_own(checkpoint, tmp_path):
    """By path; the new file names it relative to itself."""
    folder = tmp_path / 'mine'
    folder.mkdir()
    base = folder / 'my_pspnet.py'
    base.write_text(
        f'_base_ = {PSPNET!r}\n'
        "load_from = 'https://example.org/whole_model.pth'\n"
        'model = dict(backbone=dict(frozen_stages=2))\n'
    )
    out = tmp_path / 'swapped.py'
    report = swap_backbone(base, checkpoint=checkpoint, out=out)
    assert "_base_ = 'mine/my_pspnet.py'" in out.read_text()
    cfg = Config.fromfile(out)
    assert cfg.load_from is None
    assert 'frozen_stages' not in cfg.model.backbone
    notes = ' '.join(report.notes)
    assert 'frozen_stages=2' in notes and 'whole_model.pth' in notes


@pytest.mark.slow
def test_another_checkpoint(checkpoint, tmp_path):
    """A config that was swapped already is a base like any other."""
    report = swap_backbone(PSPNET, arch='atto', out=tmp_path / 'first.py')
    backbone = Config.fromfile(tmp_path / 'first.py').model.backbone
    assert backbone.arch == 'atto' and 'init_cfg' not in backbone
    assert any('random weights' in note for note in report.notes)
    out = tmp_path / 'second.py'
    swap_backbone(tmp_path / 'first.py', checkpoint=checkpoint, out=out)
    cfg = Config.fromfile(out)
    assert cfg.model.backbone.arch.channels == (8, 16, 24, 32)
    assert cfg.model.backbone.init_cfg.checkpoint == str(checkpoint)
    assert cfg.model.decode_head.in_channels == 32
    assert cfg.custom_imports.imports == ['mcjepa_mm.compat.all']


def test_default_name(checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = swap_backbone(PSPNET, checkpoint=checkpoint)
    assert report.path == tmp_path / f'{Path(PSPNET[7:]).stem}_mcjepa.py'
    assert report.path.is_file()
    assert list(tmp_path.iterdir()) == [report.path]


def write(folder, text):
    path = folder / 'base.py'
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    'text, message',
    [
        ("default_scope = 'mmseg'\nmodel = dict(type='X')", 'backbone'),
        ("default_scope = 'mmseg'", 'backbone'),
        ("default_scope = 'mmfoo'\nmodel = dict()", "'mmfoo'"),
        ('x = 1', 'default_scope'),
        ('x = (', 'SyntaxError'),
        (
            "custom_imports = dict(imports=['no_such_module'])",
            'no_such_module',
        ),
        (
            f'_base_ = {PSPNET!r}\n'
            "model = dict(backbone=dict(type='NoSuchNet'))",
            'NoSuchNet',
        ),
    ],
)
def test_unfit_configs(text, message, checkpoint, tmp_path):
    folder = tmp_path / 'out'
    folder.mkdir()
    with pytest.raises(SwapError, match=message):
        swap_backbone(
            write(tmp_path, text), checkpoint=checkpoint, out=folder / 'x.py'
        )
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    'name, error, message',
    [
        ('mmfoo::x.py', SwapError, 'mmfoo'),
        ('mmseg::no_such_config', FileNotFoundError, 'no_such_config'),
        ('no/such/file.py', FileNotFoundError, 'no/such/file.py'),
        ('mmseg::_base_/datasets/ade20k.py', SwapError, 'default_scope'),
    ],
)
def test_configs_that_are_not_there(
    name, error, message, checkpoint, tmp_path
):
    with pytest.raises(error, match=message):
        swap_backbone(name, checkpoint=checkpoint, out=tmp_path / 'x.py')
    assert not list(tmp_path.iterdir())


def test_foreign_checkpoint(tmp_path):
    path = tmp_path / 'resnet.pth'
    torch.save(dict(state_dict={'layer1.0.weight': torch.zeros(1)}), path)
    with pytest.raises(ValueError, match='MCJEPAConvNeXt'):
        swap_backbone(PSPNET, checkpoint=path, out=tmp_path / 'x.py')
    assert list(tmp_path.iterdir()) == [path]


def test_safetensors_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / 'encoder.safetensors'
    path.write_bytes(b'')
    with pytest.raises(ValueError, match='safetensors'):
        swap_backbone(PSPNET, checkpoint=path, out=tmp_path / 'x.py')
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_file_stays(checkpoint, tmp_path):
    out = tmp_path / 'mine.py'
    out.write_text('precious')
    with pytest.raises(FileExistsError, match='mine.py'):
        swap_backbone(PSPNET, checkpoint=checkpoint, out=out)
    assert out.read_text() == 'precious'


@pytest.mark.parametrize(
    'out, error, message',
    [
        ('nowhere/x.py', FileNotFoundError, 'nowhere'),
        ('x.yml', ValueError, r'\.py'),
    ],
)
def test_unfit_outputs(out, error, message, checkpoint, tmp_path):
    with pytest.raises(error, match=message):
        swap_backbone(PSPNET, checkpoint=checkpoint, out=tmp_path / out)


def test_unknown_arch(checkpoint, tmp_path):
    with pytest.raises(ValueError, match='mega'):
        swap_backbone(PSPNET, arch='mega', out=tmp_path / 'x.py')
    with pytest.raises(ValueError, match='checkpoint'):
        swap_backbone(
            PSPNET, arch='tiny', checkpoint=checkpoint, out=tmp_path / 'x.py'
        )
    assert not list(tmp_path.iterdir())
