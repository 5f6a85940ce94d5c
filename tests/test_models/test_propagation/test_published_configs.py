"""The configs beside which a published figure stands."""

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, PixelData

from mcjepa_mm.engine.launch import load_config
from mcjepa_mm.registry import MODELS, TRANSFORMS

pytest.importorskip('timm')
NAMES = dict(
    [
        ('dino-vit-small-p16', (30, 52)),
        ('dinov2-vit-small-p14', (30, 52)),
        ('dinov3-vit-small-p16', (30, 52)),
        ('dinov3-convnext-tiny', (30, 52)),
        ('mocov1-resnet50', (60, 104)),
        ('mocov2-resnet50', (60, 104)),
        ('mocov3-resnet50', (60, 104)),
        ('vicreg-resnet50', (60, 104)),
    ]
)


@pytest.fixture
def config(repo):
    return lambda name: load_config(
        str(repo / f'configs/vos/label-propagation_{name}_davis2017-480p.py')
    )


@pytest.mark.parametrize('name', NAMES)
def test_grid_of_a_frame_of_davis(config, name):
    """A whole number of cells: none is stretched or cut."""
    cfg = config(name)
    resize = cfg.test_dataloader.dataset.pipeline[2]
    frame = dict(img=np.zeros((480, 854, 3), np.uint8))
    size = TRANSFORMS.build(dict(resize)).transform(frame)['img_shape']
    stride = cfg.model.stride
    assert [side % stride for side in size] == [0, 0]
    assert tuple(side // stride for side in size) == NAMES[name]


@pytest.mark.parametrize('name', NAMES)
def test_follows_by_the_weights_of_its_file(config, name, tmp_path):
    cfg = config(name).model
    if 'vit' in name:
        cfg.backbone.update(depth=1)
    elif 'convnext' in name:
        cfg.backbone.update(depths=(1, 1, 1, 1), dims=(8, 16, 24, 32))
    else:
        cfg.backbone.update(base_channels=8)
    init = cfg.backbone.init_cfg
    init.checkpoint = str(tmp_path / init.checkpoint.split('/')[-1])
    model = MODELS.build(cfg).eval()
    net = getattr(model.backbone, 'timm_model', model.backbone)
    torch.manual_seed(1)
    state = {
        key: torch.rand_like(value) if value.is_floating_point() else value
        for key, value in net.state_dict().items()
    }
    prefix = init.get('prefix')
    named = {f'{prefix}.{k}' if prefix else k: v for k, v in state.items()}
    torch.save(dict(state_dict=named), init.checkpoint)
    model.init_weights()
    for key, value in net.state_dict().items():
        torch.testing.assert_close(value, state[key], rtol=0, atol=0)

    size = 4 * model.stride, 6 * model.stride
    mask = torch.zeros(1, *size, dtype=torch.uint8)
    mask[:, : 2 * model.stride, : 3 * model.stride] = 1
    for index in range(2):
        sample = BaseDataElement(
            metainfo=dict(sequence='clip', frame_index=index),
            gt_objects=PixelData(data=mask),
        )
        frame = torch.randint(256, (3, *size), dtype=torch.uint8)
        batch = dict(inputs=[frame], data_samples=[sample])
        (found,) = model.test_step(batch)
        feat = model(model.data_preprocessor(batch)['inputs'])
        assert feat.shape[1:3] == (4, 6)
        assert found.pred_objects.data.shape == (1, *size)

    # a weight that the file lacks would stay random
    named.pop(next(key for key in named if key.endswith('weight')))
    torch.save(dict(state_dict=named), init.checkpoint)
    again = MODELS.build(cfg)
    with pytest.raises(ValueError, match='Missing|lacks 1 tensors'):
        again.init_weights()
