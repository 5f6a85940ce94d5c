from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image
from torch import nn

from mcjepa_mm.apis import Segmentor, draw_segmentations
from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.registry import MODELS
from mcjepa_mm.utils.image_file import write_image

CONFIG = Path(__file__).parents[1] / 'toys' / 'toy_segmentation_config.py'
pytestmark = pytest.mark.filterwarnings('ignore::UserWarning')


class PixelBackbone(nn.Module):
    """Features are the pixels' own values."""

    def forward(self, x):
        return (x,)


@pytest.fixture
def pixels(tmp_path):
    """A segmentor by hand: 0 is dark, 1 is red, 2 is blue."""
    MODELS.register_module(module=PixelBackbone, force=True)
    config = Config(
        dict(
            default_scope='mcjepa_mm',
            model=dict(
                type='mmseg.EncoderDecoder',
                data_preprocessor=dict(
                    type='mmseg.SegDataPreProcessor',
                    mean=[0, 0, 0],
                    std=[1, 1, 1],
                    bgr_to_rgb=True,
                ),
                backbone=dict(type='PixelBackbone'),
                decode_head=dict(
                    type='mmseg.FCNHead',
                    in_channels=3,
                    channels=3,
                    in_index=0,
                    num_convs=0,
                    concat_input=False,
                    num_classes=3,
                    loss_decode=dict(type='mmseg.CrossEntropyLoss'),
                ),
                test_cfg=dict(mode='whole'),
            ),
            test_dataloader=dict(
                dataset=dict(
                    type='BadSampleGuard',
                    dataset=dict(
                        type='mmseg.BaseSegDataset',
                        pipeline=[
                            dict(type='LoadImageStrict'),
                            dict(type='mmseg.LoadAnnotations'),
                            dict(type='mmseg.PackSegInputs'),
                        ],
                    ),
                )
            ),
        )
    )
    head = {
        'decode_head.conv_seg.weight': torch.tensor(
            [[0, 0, 0], [1, 0, 0], [0, 0, 1.0]]
        )[..., None, None],
        'decode_head.conv_seg.bias': torch.tensor([50.0, 0, 0]),
    }
    meta = dict(
        dataset_meta=dict(
            classes=['dark', 'red', 'blue'],
            palette=[[1, 2, 3], [200, 0, 0], [0, 0, 200]],
        )
    )
    path = tmp_path / 'pixels.pth'
    torch.save(dict(state_dict=head, meta=meta), path)
    return config, path


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    """The checkpoint of a swapped config of mmsegmentation, and its model."""
    config = Config.fromfile(CONFIG)
    torch.manual_seed(3)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(config.model)
    nn.init.normal_(model.decode_head.conv_seg.weight)
    path = tmp_path_factory.mktemp('work') / 'iter_1.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path, model


def test_known_weights_give_a_known_class_map(pixels, tmp_path):
    image = np.zeros((400, 500, 3), np.uint8)
    image[:, :100, 0] = 240
    image[300:, 200:, 2] = 240
    expected = np.zeros((400, 500), int)
    expected[:, :100] = 1
    expected[300:, 200:] = 2
    assert (Segmentor(*pixels, 'cpu')(image) == expected).all()

    write_image(tmp_path / 'in' / 'a.png', image)
    out = tmp_path / 'new' / 'out'
    overlays = draw_segmentations(
        *pixels, tmp_path / 'in', out, opacity=0.5, device='cpu'
    )
    assert overlays == [out / 'overlay' / 'a.png']
    assert sorted(x for x in out.rglob('*') if x.is_file()) == [
        out / 'mask' / 'a.png',
        out / 'overlay' / 'a.png',
    ]
    mask = Image.open(out / 'mask' / 'a.png')
    assert mask.mode == 'P' and (np.asarray(mask) == expected).all()
    colours = np.asarray(mask.convert('RGB'))
    assert colours[0, 0].tolist() == [200, 0, 0]
    assert colours[399, 499].tolist() == [0, 0, 200]
    overlay = cv2.imread(str(overlays[0]))[..., ::-1]
    assert overlay.shape == (400, 500 + 208, 3)
    assert (overlay[:, :100] == (220, 0, 0)).all()
    assert (overlay[300:, 200:500] == (0, 0, 220)).all()
    assert (overlay[:300, 100:500] == (0, 1, 1)).all()


def test_a_swapped_config_predicts_as_mmseg_does(toy, tmp_path):
    from mmseg.apis import inference_model

    path, model = toy
    image = EmbeddedWorld((70, 90)).scene(1).frame(0)
    segmentor = Segmentor(CONFIG, path, 'cpu')
    labels = segmentor(image)
    assert labels.shape == (70, 90) and len(np.unique(labels)) > 1
    write_image(tmp_path / 'a.png', image)
    model.cfg = Config.fromfile(CONFIG)
    with DefaultScope.overwrite_default_scope('mmseg'):
        theirs = inference_model(model.eval(), str(tmp_path / 'a.png'))
    assert (theirs.pred_sem_seg.data[0].numpy() == labels).all()
    # a size that is no multiple of the stride
    assert segmentor(image[:33, :35]).shape == (33, 35)


def test_names_come_from_the_checkpoint_or_the_config(toy, tmp_path):
    path, _ = toy
    segmentor = Segmentor(str(CONFIG), path, 'cpu')
    assert segmentor.classes == ['a', 'b', 'c', 'd', 'e']
    assert segmentor.palette[4] == [4, 40, 200]

    content = torch.load(path)
    content['meta'] = dict(dataset_meta=dict(classes=list('vwxyz')))
    torch.save(content, tmp_path / 'named.pth')
    segmentor = Segmentor(CONFIG, tmp_path / 'named.pth', 'cpu')
    assert segmentor.classes == list('vwxyz')
    assert len({tuple(color) for color in segmentor.palette}) == 5

    config = Config.fromfile(CONFIG)
    del config.test_dataloader.dataset['metainfo']
    assert Segmentor(config, path, 'cpu').classes == list('01234')
    config.test_dataloader.dataset.type = 'CityscapesDataset'
    with pytest.raises(ValueError, match='5 classes.* 19'):
        Segmentor(config, path, 'cpu')


def test_a_checkpoint_that_does_not_fill_the_model_draws_nothing(
    toy, tmp_path
):
    _path, model = toy
    write_image(tmp_path / 'a.png', np.zeros((64, 64, 3), np.uint8))
    out = tmp_path / 'out'
    backbone = {
        f'backbone.{k}': v for k, v in model.backbone.state_dict().items()
    }
    torch.save(dict(state_dict=backbone), tmp_path / 'pretraining.pth')
    for checkpoint, match in (
        ('pretraining.pth', "pretraining.pth.*'decode_head"),
        ('none.pth', 'none.pth'),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=match):
            draw_segmentations(
                CONFIG, tmp_path / checkpoint, tmp_path / 'a.png', out
            )
    assert not out.exists()


def test_nothing_is_loaded_for_a_pretrained_backbone(toy):
    config = Config.fromfile(CONFIG)
    config.model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint='https://nowhere.invalid/a.pth'
    )
    assert Segmentor(config, toy[0], 'cpu').model is not None


def test_other_configs_are_refused(toy, repo):
    pretraining = repo / 'configs' / 'mcjepa_convnext.py'
    with pytest.raises(ValueError, match='test_dataloader'):
        Segmentor(pretraining, toy[0], 'cpu')
    config = Config.fromfile(CONFIG)
    config.model = dict(type='mcjepa_mm.MCJEPAConvNeXt', arch='atto')
    with pytest.raises(ValueError, match='MCJEPAConvNeXt'):
        Segmentor(config, toy[0], 'cpu')


@pytest.mark.parametrize('opacity', [-0.1, 1.1, float('nan')])
def test_opacity_is_refused_first(tmp_path, opacity):
    with pytest.raises(ValueError, match='opacity'):
        draw_segmentations('x', 'y', 'z', tmp_path, opacity=opacity)
