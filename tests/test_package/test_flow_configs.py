"""The flow configs on files in the real layouts: test, submit, train."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mcjepa_mm.datasets.embedded_world.export import export
from mcjepa_mm.datasets.flow_files import read_flow
from mcjepa_mm.engine.launch import build_runner, load_config

CONFIGS = Path(__file__).parents[2] / 'configs/flow'
NAMES = sorted(path.name for path in CONFIGS.glob('mcjepa-flow_*.py'))
SIZE = (96, 128)
SMALL = dict(depths=(1, 1, 1, 1), channels=(8, 16, 24, 32))


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    for layout in ('flyingchairs', 'sintel', 'kitti2012', 'kitti2015'):
        frames = dict(num_frames=3) if layout == 'sintel' else {}
        export(layout, root / layout, num_scenes=2, size=SIZE, **frames)
    export_middlebury(root / 'sintel/training', root / 'middlebury')
    return root


def export_middlebury(sintel, root):
    """The first pair of each scene in Middlebury's folders and names."""
    for flow in sintel.glob('flow/*/frame_0001.flo'):
        scene = flow.parent.name
        for old, new in (
            (flow, root / 'other-gt-flow' / scene / 'flow10.flo'),
            *(
                (
                    sintel / 'clean' / scene / f'frame_000{n}.png',
                    root / 'other-data' / scene / f'frame1{n - 1}.png',
                )
                for n in (1, 2)
            ),
        ):
            new.parent.mkdir(parents=True, exist_ok=True)
            new.symlink_to(old)


def small(name, data, tmp_path) -> Config:
    """The config with little data and a little model."""
    cfg = load_config(str(CONFIGS / name), work_dir=str(tmp_path / 'work'))
    text = cfg.pretty_text.replace("'data/", f"'{data}/")
    text = text.replace("'work_dirs/", f"'{tmp_path}/")
    cfg = Config.fromstring(text, '.py')
    cfg.model.backbone.arch = SMALL
    cfg.model.head.decoder.hidden = (8, 6)
    cfg.vis_backends = cfg.visualizer.vis_backends = []
    cfg.experiment_name = f'{name}-{tmp_path.name}'
    cfg.launcher = 'none'
    for loader in loaders(cfg):
        loader.num_workers = 0
        loader.persistent_workers = False
        if 'length' in loader.dataset:
            loader.dataset.length = 4
        shrink_crops(loader.dataset)
    return cfg


def loaders(cfg) -> list:
    found = []
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(key) or []
        found += loader if isinstance(loader, list) else [loader]
    return found


def shrink_crops(node) -> None:
    """Every crop of the config becomes one that the exported frames hold."""
    if isinstance(node, dict):
        if 'crop_size' in node:
            node['crop_size'] = (64, 64)
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for item in node:
            shrink_crops(item)


def checkpoint(cfg, path) -> str:
    """As the pretraining writes them: another task's head is in it, too."""
    from mcjepa_mm.registry import MODELS

    model = MODELS.build(cfg.model)
    state = dict(model.state_dict(), **{'heads.content.x': torch.zeros(1)})
    torch.save(dict(state_dict=state, meta={}), path)
    return str(path)


def test_all_are_listed():
    assert len(NAMES) == 10


@pytest.mark.parametrize('name', NAMES)
def test_tests_a_checkpoint(name, data, tmp_path):
    cfg = small(name, data, tmp_path)
    for key in ('train_dataloader', 'train_cfg', 'optim_wrapper'):
        cfg.pop(key, None)
    for key in ('param_scheduler', 'val_dataloader', 'val_cfg'):
        cfg.pop(key, None)
    cfg.pop('val_evaluator', None)
    cfg.load_from = checkpoint(cfg, tmp_path / 'epoch_1.pth')
    runner = build_runner(cfg)
    runner.test()  # mmflow's MultiTestLoop returns nothing
    metrics = {
        key: scalar.current()
        for key, scalar in runner.message_hub.log_scalars.items()
        if key.startswith('test/') and 'time' not in key
    }
    assert metrics
    assert all(np.isfinite(value) for value in metrics.values())
    if 'submission' not in name:
        return
    files = [
        path
        for path in tmp_path.rglob('*')
        if path.suffix == '.flo' or path.parent.name == 'flow'
    ]
    assert len(files) == sum(metrics.values())
    for path in files:
        flow, valid = read_flow(path)
        assert flow.shape == (2, *SIZE) and valid.all()


@pytest.mark.parametrize('name', [n for n in NAMES if '8xb1' in n])
def test_trains(name, data, tmp_path):
    cfg = small(name, data, tmp_path)
    if 'max_epochs' in cfg.train_cfg:
        cfg.train_cfg.max_epochs = 1
    else:
        cfg.train_cfg.max_iters = cfg.train_cfg.val_interval = 2
        cfg.default_hooks.checkpoint.interval = 2
    runner = build_runner(cfg)
    runner.train()
    written = list((tmp_path / 'work').glob('*.pth'))
    assert written
    first = runner.model.backbone.stem[0][0].weight.detach()
    assert first.isfinite().all()
    losses = runner.message_hub.get_scalar('train/loss')
    assert losses.current() > 0


@pytest.mark.slow
def test_absent_data_is_explained(tmp_path):
    name = 'mcjepa-flow_convnext-tiny_sintel.py'
    cfg = small(name, tmp_path / 'nowhere', tmp_path)
    cfg.load_from = checkpoint(cfg, tmp_path / 'epoch_1.pth')
    with pytest.raises(FileNotFoundError, match='Sintel'):
        build_runner(cfg).test()
