"""The classification configs on files in ImageNet's layout."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mcjepa_mm.datasets.embedded_world.export import export
from mcjepa_mm.engine.launch import build_runner, load_config
from mcjepa_mm.models.backbones import MCJEPAConvNeXt

CONFIGS = Path(__file__).parents[2] / 'configs/classification'
NAMES = sorted(path.name for path in CONFIGS.glob('*.py'))
LINEAR = [name for name in NAMES if 'linear' in name]
KNN = [name for name in NAMES if 'knn' in name]
SMALL = dict(depths=(1, 1, 1, 1), channels=(8, 16, 24, 32))
NUM = 20


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'imagenet'
    export('imagenet', root, num_scenes=NUM, size=(80, 72))
    return root


@pytest.fixture
def checkpoint(tmp_path):
    """As the pretraining writes them: another task's head is in it, too."""

    def write(norm_cfg=None):
        torch.manual_seed(3)
        backbone = MCJEPAConvNeXt(
            SMALL, layer_scale_init_value=0.0, norm_cfg=norm_cfg
        )
        backbone.init_weights()
        state = {f'backbone.{k}': v for k, v in backbone.state_dict().items()}
        for key, value in state.items():
            if key.endswith('running_mean'):
                value += 0.1
        state['heads.content.x'] = torch.zeros(1)
        path = tmp_path / 'epoch_1.pth'
        torch.save(dict(state_dict=state, meta={}), path)
        return str(path), state

    return write


def small(name, data, tmp_path) -> Config:
    """The config with little data and a little model."""
    cfg = load_config(str(CONFIGS / name), work_dir=str(tmp_path / 'work'))
    cfg.model.backbone.arch = SMALL
    if name in LINEAR:
        cfg.model.neck[1].input_features = 32
        cfg.model.head.in_channels = 32
        cfg.train_cfg.max_epochs = 1
        cfg.train_cfg.val_interval = 1
        cfg.default_hooks.checkpoint.interval = 1
    loaders = [cfg.get('train_dataloader'), cfg.get('val_dataloader')]
    loaders += [cfg.test_dataloader]
    loaders += [hook.dataloader for hook in cfg.get('custom_hooks') or []]
    for loader in filter(None, loaders):
        loader.num_workers, loader.batch_size = 0, NUM // 2
        loader.persistent_workers = False
        loader.dataset.data_root = str(data)
    cfg.vis_backends = cfg.visualizer.vis_backends = []
    cfg.experiment_name = f'{name}-{tmp_path.name}'
    cfg.launcher = 'none'
    return cfg


def test_all_are_tried_here():
    assert len(NAMES) == 6 and len(LINEAR) == len(KNN) == 2


@pytest.mark.parametrize(
    'name, norm',
    [
        (LINEAR[0], 'LN2d'),
        pytest.param(LINEAR[0], 'BN', marks=pytest.mark.slow),
        pytest.param(LINEAR[1], 'LN2d', marks=pytest.mark.slow),
    ],
)
def test_a_probe_trains_its_layer_alone(
    name, norm, data, checkpoint, tmp_path
):
    cfg = small(name, data, tmp_path)
    norm_cfg = dict(type=norm, eps=1e-6)
    cfg.model.backbone.norm_cfg = norm_cfg
    cfg.model.backbone.drop_path_rate = 0.5
    path, state = checkpoint(norm_cfg)
    cfg.model.backbone.init_cfg.checkpoint = path
    assert cfg.model.backbone.frozen_stages == 6
    runner = build_runner(cfg)
    runner.train()
    assert runner.iter == 2
    trained = torch.load(tmp_path / 'work/epoch_1.pth')['state_dict']
    del state['heads.content.x']
    assert any('running_mean' in key for key in state) == (norm == 'BN')
    frozen = {k: v for k, v in trained.items() if k.startswith('backbone.')}
    assert frozen.keys() == state.keys()
    assert all(torch.equal(frozen[key], state[key]) for key in state)
    backbone = runner.model.train().backbone
    for level in range(6):
        for part in backbone.level(level):
            assert not any(module.training for module in part.modules())
    assert not any(x.requires_grad for x in backbone.parameters())
    # It was zero.
    assert trained['head.fc.bias'].abs().max() > 0
    assert runner.message_hub.get_scalar('train/loss').current() > 0
    accuracy = runner.message_hub.get_scalar('val/accuracy/top1').current()
    assert 0 <= accuracy <= 100


def test_a_probe_refuses_a_checkpoint_of_something_else(data, tmp_path):
    cfg = small(LINEAR[0], data, tmp_path)
    cfg.model.backbone.init_cfg.checkpoint = str(tmp_path / 'none.pth')
    with pytest.raises(FileNotFoundError, match='none.pth can not be found'):
        build_runner(cfg).train()
    path = tmp_path / 'resnet.pth'
    torch.save({'backbone.layer1.0.conv1.weight': torch.zeros(1)}, path)
    cfg.model.backbone.init_cfg.checkpoint = str(path)
    cfg.experiment_name += '_again'
    with pytest.raises(ValueError, match='No key of the checkpoint fits'):
        build_runner(cfg).train()


@pytest.mark.parametrize('name', KNN)
def test_knn_equals_brute_force(name, data, checkpoint, tmp_path):
    cfg = small(name, data, tmp_path)
    cfg.model.head.k = 5
    cfg.load_from, _ = checkpoint()
    runner = build_runner(cfg)
    top1 = runner.test()['accuracy/top1']

    dataset = runner.test_dataloader.dataset
    assert str(dataset.img_prefix) == str(data / 'val')
    bank = runner.model.head.bank_labels, runner.model.head.bank.double()
    assert bank[0].tolist() == 2 * list(range(10))  # as listed
    right = 0
    for i in range(NUM):
        inputs = dataset[i]['inputs'][None]
        with torch.no_grad():
            inputs = runner.model.data_preprocessor(dict(inputs=inputs))
            feat = runner.model.extract_feat(inputs['inputs'])[0][0].double()
        cos = (bank[1] @ feat / feat.norm()).numpy()
        votes = np.zeros(10)
        for j in np.argsort(-cos)[:5]:
            votes[bank[0][j]] += np.exp(cos[j] / 0.07)
        right += votes.argmax() == dataset.get_data_info(i)['gt_label']
    assert top1 == pytest.approx(100 * right / NUM)


@pytest.mark.parametrize('name', [n for n in NAMES if 'tiny' in n])
def test_the_embedding_is_the_mean_of_768_channels_at_stride_64(name):
    from mmpretrain import get_model

    model = get_model(str(CONFIGS / name)).eval()
    inputs = torch.rand(1, 3, 128, 192)
    (level,) = model.extract_feat(inputs, stage='backbone')
    assert level.shape == (1, 768, 2, 3)
    model.neck = getattr(model.neck, '__getitem__', lambda _: model.neck)(0)
    (embedding,) = model.extract_feat(inputs)
    torch.testing.assert_close(embedding, level.mean(dim=(2, 3)))
