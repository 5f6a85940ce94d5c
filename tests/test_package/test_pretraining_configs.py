"""Every pretraining config builds and takes a step on views of its own."""

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image

from mcjepa_mm.engine.launch import build_runner, load_config
from mcjepa_mm.registry import DATASETS, MODELS

sys.path.append(str(Path(__file__).parent))
from small_configs import CONFIGS, SHALLOW, find_configs

NAMES = ['mcjepa_convnext.py', *find_configs('pretrain')]
PAPER = 'pretrain/mcjepa_convnext-tiny_8xb48-coslr-100e_in1k-frames.py'


def read(name):
    """A config with few blocks, a small expander and a small estimator."""
    cfg = Config.fromfile(CONFIGS / name)
    init_default_scope('mcjepa_mm')
    if cfg.model.backbone.get('arch') == 'tiny':
        cfg.model.backbone.arch = SHALLOW
    if cfg.model.heads.get('content'):
        cfg.model.heads.content.expander_channels = (64, 64, 64)
    if cfg.model.heads.get('motion'):
        cfg.model.heads.motion.decoder.hidden = (8, 6)
    if cfg.model.heads.get('distill'):
        del cfg.model.heads.distill.teacher.init_cfg  # a file
    return cfg


@cache
def first_clip(dataset: str):
    return DATASETS.build(eval(dataset))[0]


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_takes_a_step_and_follows_objects(name):
    cfg = read(name)
    model = MODELS.build(cfg.model)
    model.init_weights()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    tasks = [k for k, data in cfg.train_dataloader.items() if data]
    trained = [k for k, head in model.heads.items() if [*head.parameters()]]
    assert sorted(tasks) == sorted(trained)
    assert set(model.heads) - set(trained) == {'propagation'}
    # at 64 pixels stride 32 has no second difference
    side = 128 if 'flow_' in name else 64
    views = torch.randint(256, (2, 2, 3, side, side), dtype=torch.uint8)
    weight = next(model.backbone.parameters())
    before = weight.clone()
    log = model.train_step({x: dict(inputs=views) for x in tasks}, wrapper)
    assert log['loss'].isfinite()
    assert {name.split('.')[0] for name in log} == {'loss', *tasks}
    assert torch.equal(before, weight) != weight.requires_grad

    assert cfg.val_evaluator.propagation.type == 'DAVISMetric'
    dataset = dict(cfg.val_dataloader.propagation.dataset, num_frames=3)
    clip = first_clip(repr(Config(dataset).to_dict()))
    batch = {k: [v] for k, v in clip.items()}
    frames = model.eval().test_step(dict(propagation=batch))
    truth = clip['data_samples'].gt_objects.data
    assert len(frames) == 3
    assert torch.equal(frames[0].pred_objects.data[0], truth[0])
    assert frames[2].pred_objects.data.shape == (1, 128, 128)
    assert 0 < frames[2].pred_objects.data.max() <= truth.max()


@pytest.mark.slow
def test_the_default_job_runs(tmp_path):
    """From the first step to the validation, with very little data."""
    cfg = load_config(
        str(CONFIGS / 'mcjepa_convnext.py'), work_dir=str(tmp_path)
    )
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.train_dataloader.content.batch_size = 4
    data = [*cfg.train_dataloader.values(), *cfg.val_dataloader.values()]
    for loader, length in zip(data, (4, 4, 2, 24, 1), strict=True):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.length = length
    cfg.val_dataloader.propagation.dataset.num_frames = 3
    cfg.default_hooks.checkpoint = None
    cfg.visualizer.vis_backends = []
    cfg.custom_hooks = cfg.custom_hooks[:2]  # without pictures
    runner = build_runner(cfg)
    runner.train()
    log = runner.message_hub.log_scalars
    assert runner.iter == 1
    assert 0 <= log['val/propagation/JF_mean'].current() <= 100
    assert {'val/motion/EPE', 'val/content/kNN'} <= set(log)


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    """Five images and two folders of frames, whose names begin alike."""
    rng = np.random.default_rng(0)
    places = [f'images/{k // 3}/{k}.png' for k in range(5)]
    places += [f'videos/walk/{t}.jpg' for t in range(3)]
    places += [f'videos/walk2/{t}.jpg' for t in range(4)]
    for name in places:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = rng.integers(256, size=(80, 100, 3), dtype=np.uint8)
        Image.fromarray(image).save(path)
    monkeypatch.setenv('MCJEPA_IMAGES', str(tmp_path / 'images'))
    monkeypatch.setenv('MCJEPA_VIDEOS', str(tmp_path / 'videos'))
    return tmp_path


def test_length_of_an_epoch_is_not_the_folder_s(own_data):
    cfg = read('pretrain/mcjepa_convnext-micro_1xb32_own-data.py')
    data = cfg.train_dataloader
    for config, length, shape in (
        (data.content, 5, (32, 2, 3, 64, 64)),
        # 2 + 3 pairs (t, t + 1), 1 + 2 pairs (t, t + 2)
        (data.motion, 8, (4, 2, 3, 128, 128)),
    ):
        config.update(num_workers=0, persistent_workers=False)
        loader = Runner.build_dataloader(config, seed=0)
        assert len(loader.dataset) == length and len(loader) == 100
        assert next(iter(loader))['inputs'].shape == shape
    gaps = {
        info['frame_indices'][1] - info['frame_indices'][0]
        for part in loader.dataset.datasets
        for info in map(part.dataset.get_data_info, range(len(part)))
    }
    assert gaps == {1, 2}


@pytest.mark.slow
@pytest.mark.parametrize('task', ['mcjepa', 'vicreg', 'mjepa'])
def test_small_jobs_run_on_own_data(task, own_data):
    [path] = CONFIGS.glob(f'pretrain/{task}_convnext-micro_*_own-data.py')
    cfg = load_config(str(path), work_dir=str(own_data / 'work'))
    cfg.train_cfg.update(max_epochs=1, val_interval=2)
    for loader in filter(None, cfg.train_dataloader.values()):
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.sampler.length = 4
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.visualizer.vis_backends = []
    cfg.experiment_name = own_data.name
    runner = build_runner(cfg)
    runner.train()
    assert runner.iter == 2
    assert runner.message_hub.get_scalar('train/loss').current() > 0


def test_tasks_alone_keep_their_own_data():
    """Nothing of the embedded world's data is left in one's own."""
    cfg = read('pretrain/mcjepa_convnext-micro_1xb32_own-data.py')
    assert cfg.train_dataloader == dict(
        content=cfg.own_content_dataloader, motion=cfg.own_motion_dataloader
    )


def test_estimator_has_its_own_learning_rate():
    """3e-4 for encoder and expander, 1e-4 for the estimator (p)."""
    cfg = read(PAPER)
    model = MODELS.build(cfg.model)
    names = {id(p): n for n, p in model.named_parameters()}
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    for group in wrapper.optimizer.param_groups:
        [name] = [names[id(p)] for p in group['params']]
        rate = 1e-4 if '.motion.decoder.' in name else 3e-4
        assert group['lr'] == pytest.approx(rate), name
