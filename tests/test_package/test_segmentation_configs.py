"""The segmentation configs on files in the real layouts: train, validate."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from PIL import Image

from mcjepa_mm.datasets.embedded_world.export import export
from mcjepa_mm.engine.launch import build_runner, load_config
from mcjepa_mm.models.backbones import MCJEPAConvNeXt

CONFIGS = Path(__file__).parents[2] / 'configs/segmentation'
NAMES = sorted(path.name for path in CONFIGS.glob('*.py'))
LINEAR = [name for name in NAMES if name.startswith('linear')]
UPERNET = [name for name in NAMES if name.startswith('upernet')]
EMBEDDED = 'linear_mcjepa-convnext-micro_1xb8-400_embedded-voc.py'
PLAIN = 'fcn_r18_1xb8-300_camvid-192x256.py'  # to be swapped
ITERATIONS = {'40k': 40000, '80k': 80000, '160k': 160000}
SMALL = dict(depths=(1, 1, 4, 1), channels=(8, 12, 16, 20))
CROP = (64, 64)
READ = inspect.signature(Runner).parameters
# Where the configs look for what an export has.
ROOTS = {
    'data/VOCdevkit/VOC2012': 'voc2012_aug/VOCdevkit/VOC2012',
    'data/embedded_voc/VOCdevkit/VOC2012': 'voc2012_aug/VOCdevkit/VOC2012',
    'data/ade/ADEChallengeData2016': 'ade20k/ADEChallengeData2016',
    'data/cityscapes/': 'cityscapes',
    'data/camvid': 'camvid',
}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    for layout in ('voc2012_aug', 'ade20k', 'cityscapes'):
        export(layout, root / layout, num_scenes=2, size=(64, 96))
    make_camvid(root / 'camvid')
    return root


def make_camvid(root):
    """Pictures whose masks have all classes, and pixels without one."""
    rng = np.random.default_rng(0)
    for folder in ('images', 'masks'):
        (root / folder).mkdir(parents=True)
    for split in ('train', 'val'):
        names = [f'{split}_{k}' for k in range(3)]
        (root / f'{split}.txt').write_text('\n'.join(names))
        for name in names:
            image = rng.integers(256, size=(64, 96, 3), dtype=np.uint8)
            Image.fromarray(image).save(root / f'images/{name}.jpg')
            mask = rng.integers(12, size=(8, 12), dtype=np.uint8)
            mask = mask.repeat(8, 0).repeat(8, 1)
            Image.fromarray(mask).save(root / f'masks/{name}.png')


def small(name, data, tmp_path, **backbone) -> Config:
    """The config with little data, a little model and two iterations."""
    cfg = load_config(str(CONFIGS / name), work_dir=str(tmp_path / 'work'))
    settings = cfg.model.backbone
    settings.update(arch=SMALL, **backbone)
    settings.init_cfg.checkpoint = checkpoint(
        tmp_path / 'pretraining.pth', settings
    )
    widths = list(SMALL['channels'])
    head = cfg.model.decode_head
    if 'neck' in cfg.model:
        cfg.model.neck.in_channels = widths
        head.in_channels = head.channels = sum(widths)
    else:
        head.update(in_channels=widths, channels=8)
        cfg.model.auxiliary_head.update(in_channels=widths[2], channels=8)
    cfg.model.data_preprocessor.size = CROP
    if cfg.model.test_cfg.mode == 'slide':
        cfg.model.test_cfg.update(crop_size=CROP, stride=(43, 43))
    for key in ('train_dataloader', 'val_dataloader'):
        loader = cfg[key]
        loader.num_workers = 0
        loader.persistent_workers = False
        shrink(loader.dataset, data)
    cfg.train_cfg.max_iters = cfg.train_cfg.val_interval = 2
    # No warm-up: the first steps of the real one are too small to be seen.
    cfg.param_scheduler = None
    cfg.default_hooks.pop('visualization', None)
    cfg.default_hooks.checkpoint = None
    cfg.randomness = dict(seed=0)
    return bare(cfg, tmp_path)


def bare(cfg, tmp_path) -> Config:
    """What the runner reads for training, and no picture of it.

    mmengine formats the config four times, which takes longer than the rest.
    """
    for key in [key for key in cfg if 'test' in key or key not in READ]:
        cfg.pop(key)
    cfg.visualizer.vis_backends = []
    cfg.experiment_name = tmp_path.name
    return cfg


def shrink(node, data) -> None:
    """Exported files, in their own size."""
    if isinstance(node, dict):
        if 'data_root' in node:
            node['data_root'] = str(data / ROOTS[node['data_root']])
        for key, size in (('crop_size', CROP), ('scale', (128, 64))):
            if key in node:
                node[key] = size
        if node.get('type') == 'Pad':
            node['size'] = CROP
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for item in node:
            shrink(item, data)


def checkpoint(path, settings) -> str:
    """As the pretraining writes them: heads are in it, too."""
    settings = {
        key: value
        for key, value in settings.items()
        if key not in ('type', 'init_cfg', 'frozen_stages')
    }
    torch.manual_seed(1)
    encoder = MCJEPAConvNeXt(**settings)
    encoder.init_weights()
    for name, value in encoder.named_buffers():
        if 'running' in name:  # what the pretraining's batches left
            value.uniform_(0.5, 1.5)
    state = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    state['heads.content.x'] = torch.zeros(1)
    torch.save(dict(state_dict=state, meta={}), path)
    return str(path)


def state(model) -> dict:
    return {k: v.clone() for k, v in model.state_dict().items()}


def test_all_are_listed():
    assert len(LINEAR) == 5 and len(UPERNET) == 3
    assert len(NAMES) == 9


@pytest.mark.slow
@pytest.mark.parametrize('name', UPERNET)
def test_fine_tuning_trains_all_and_validates(name, data, tmp_path):
    cfg = small(name, data, tmp_path)
    runner = build_runner(cfg)
    loaded = torch.load(cfg.model.backbone.init_cfg.checkpoint)['state_dict']
    runner.train()
    after = state(runner.model)
    for key, value in after.items():
        if key.startswith('backbone.'):
            assert value.isfinite().all()
            assert not torch.equal(value, loaded[key]), key
    assert 0 <= runner.message_hub.get_scalar('val/mIoU').current() <= 100


class Watch(Hook):
    """Keep what the model was before the first step, and its modes."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if not hasattr(self, 'before'):
            self.before = state(runner.model)
        self.modes = {
            part.training
            for part in runner.model.backbone.modules()
            if not list(part.children())
        }


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, norm', [*((name, 'BN') for name in LINEAR), (LINEAR[0], 'LN2d')]
)
def test_the_linear_protocol_trains_the_probe_alone(
    name, norm, data, tmp_path
):
    # DropPath would be seen: features of one picture would differ.
    cfg = small(
        name, data, tmp_path, norm_cfg=dict(type=norm), drop_path_rate=0.9
    )
    runner = build_runner(cfg)
    watch = Watch()
    runner.register_hook(watch)
    runner.train()
    loaded = torch.load(cfg.model.backbone.init_cfg.checkpoint)['state_dict']
    after = state(runner.model)
    kept = [key for key in after if key.startswith('backbone.')]
    assert len(kept) == len(loaded) - 1
    for key in kept:
        assert torch.equal(after[key], loaded[key]), key
    assert any('running_mean' in key for key in kept) == (norm == 'BN')
    probe = set(after) - set(kept)
    assert {key.split('.')[0] for key in probe} == {'neck', 'decode_head'}
    for key in probe:
        assert not torch.equal(after[key], watch.before[key]), key
    assert watch.modes == {False}
    model = runner.model.train()
    x = torch.randn(2, 3, *CROP)
    for first, second in zip(model.backbone(x), model.backbone(x)):
        assert torch.equal(first, second)
        assert not first.requires_grad
    assert 0 <= runner.message_hub.get_scalar('val/mIoU').current() <= 100


@pytest.mark.parametrize('name', [n for n in NAMES if '8xb2' in n])
def test_recipe(name):
    """AdamW 1e-4 and 0.05, warm-up, poly; crops, test, classes."""
    cfg = load_config(str(CONFIGS / name))
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr) == ('AdamW', 1e-4)
    assert optimizer.weight_decay == 0.05
    batch, length = name.split('_')[2].split('-')
    assert batch == f'8xb{cfg.train_dataloader.batch_size}' == '8xb2'
    iterations = ITERATIONS[length]
    assert cfg.train_cfg.max_iters == iterations
    warm_up, poly = cfg.param_scheduler
    assert (warm_up.type, warm_up.end) == ('LinearLR', 1500)
    assert warm_up.start_factor == 1e-6
    assert (poly.type, poly.power, poly.eta_min) == ('PolyLR', 1.0, 0.0)
    linear = name.startswith('linear')
    assert (poly.begin, poly.end) == (0 if linear else 1500, iterations)
    cities = 'cityscapes' in name
    crop = (512, 1024) if cities else (512, 512)
    assert tuple(cfg.model.data_preprocessor.size) == crop
    assert tuple(cfg.crop_size) == crop
    if linear and cities:
        assert cfg.model.test_cfg == dict(mode='whole')
    else:
        assert cfg.model.test_cfg.mode == 'slide'
        assert tuple(cfg.model.test_cfg.crop_size) == crop
        assert cfg.model.test_cfg.stride[0] == 341
    if linear and 'voc' in name:
        for part in cfg.train_dataloader.dataset.datasets:
            types = [step.type for step in part.pipeline]
            assert 'Pad' not in types and 'RandomCrop' in types
    classes = dict(voc12aug=21, ade20k=150, cityscapes=19)
    expected = classes[name.split('_')[3].split('-')[0]]
    heads = [cfg.model.decode_head, cfg.model.get('auxiliary_head')]
    for head in filter(None, heads):
        assert head.num_classes == expected


def build(cfg):
    import mmseg.models  # noqa: F401
    from mmseg.registry import MODELS

    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model)


@pytest.mark.slow
@pytest.mark.parametrize('name', [n for n in NAMES if n != PLAIN])
def test_builds_in_full_size(name):
    """Channels and strides of the heads are those of the encoder."""
    cfg = load_config(str(CONFIGS / name))
    assert cfg.model.backbone.init_cfg.prefix == 'backbone.'
    model = build(cfg)
    assert model.backbone.out_strides == (4, 8, 16, 32)
    widths = model.backbone.out_channels
    trainable = sum(p.requires_grad for p in model.backbone.parameters())
    if name in LINEAR:
        assert trainable == 0
        assert model.neck.in_channels == widths
        assert model.decode_head.in_channels == sum(widths)
        assert model.decode_head.dropout is None
    else:
        assert trainable == len(list(model.backbone.parameters()))
        assert tuple(model.decode_head.in_channels) == widths
        assert model.auxiliary_head.in_channels == widths[2]


def test_every_parameter_of_the_fine_tuning_has_its_rate_and_decay():
    """ConvNeXt's groups of layers, by hand for the depths 3, 3, 9, 3."""
    cfg = load_config(str(CONFIGS / UPERNET[0]))
    model = build(cfg)
    powers = {'backbone.stem.': 7, 'backbone.downsample_layers.0.': 7}
    powers |= {'backbone.downsample_layers.1.': 5}
    powers |= {'backbone.downsample_layers.2.': 4}
    powers |= {'backbone.downsample_layers.3.': 1}
    powers |= {'backbone.stages.0.': 6, 'backbone.stages.1.': 5}
    powers |= {f'backbone.stages.2.{i}.': 4 - i // 3 for i in range(9)}
    powers |= {'backbone.stages.3.': 1}
    powers |= {'decode_head.': 0, 'auxiliary_head.': 0}
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    found = {
        id(p): group
        for group in wrapper.optimizer.param_groups
        for p in group['params']
    }
    for name, param in model.named_parameters():
        [power] = [n for key, n in powers.items() if name.startswith(key)]
        group = found.pop(id(param))
        assert group['lr'] == pytest.approx(1e-4 * 0.9**power), name
        flat = param.ndim == 1
        assert group['weight_decay'] == (0.0 if flat else 0.05), name
    assert not found


def test_absent_checkpoint_is_said(data, tmp_path):
    cfg = small(EMBEDDED, data, tmp_path)
    cfg.model.backbone.init_cfg.checkpoint = str(tmp_path / 'none.pth')
    with pytest.raises(FileNotFoundError, match='none.pth'):
        build_runner(cfg).train()


@pytest.mark.slow
def test_the_embedded_one_learns(tmp_path):
    """As it is but for its length, on a random encoder."""
    export('voc2012_aug', tmp_path / 'data', num_scenes=8, seed=1)
    root = str(tmp_path / 'data/VOCdevkit/VOC2012')
    cfg = load_config(
        str(CONFIGS / EMBEDDED),
        work_dir=str(tmp_path / 'work'),
        cfg_options=[
            'model.backbone.init_cfg=None',
            f'train_dataloader.dataset.data_root={root}',
            f'val_dataloader.dataset.data_root={root}',
            'train_cfg.max_iters=15',
            'train_cfg.val_interval=15',
            'default_hooks.logger.interval=1',
            'param_scheduler.0.end=2',
        ],
    )
    runner = build_runner(bare(cfg, tmp_path))
    runner.train()
    values, _ = runner.message_hub.get_scalar('train/loss').data
    assert np.mean(values[-5:]) < 0.8 * values[0]
    assert runner.message_hub.get_scalar('val/mIoU').current() > 5
