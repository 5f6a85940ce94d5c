"""What the tests of swapped configs share."""

import logging
import warnings
from functools import cache

import pytest
import torch
from mmengine.config import Config
from mmengine.config import utils as config_utils
from mmengine.registry import RUNNERS
from torch import nn, optim

import mcjepa_mm  # noqa: F401  (patches imports)
from mcjepa_mm.datasets.embedded_world.export import export
from mcjepa_mm.models.backbones import MCJEPAConvNeXt

ARCH = dict(depths=(1, 1, 1, 1), channels=(8, 16, 24, 32))
SIZE = (64, 128)


@pytest.fixture(scope='session', autouse=True)
def index_that_is_read_once():
    """mmengine reads all of a project's metafiles to find one config."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config_utils, 'load', cache(config_utils.load))
        yield


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory):
    """As a pretraining leaves it: another task's head is in it, too."""
    torch.manual_seed(0)
    state = {
        f'backbone.{key}': value
        for key, value in MCJEPAConvNeXt(ARCH).state_dict().items()
    }
    path = tmp_path_factory.mktemp('pretraining') / 'epoch_1.pth'
    state['heads.content.x'] = torch.zeros(1)
    torch.save(dict(state_dict=state, meta={}), path)
    return path


@pytest.fixture(scope='session')
def data(tmp_path_factory):
    """Folder with data/cityscapes, data/ade and data/VOCdevkit."""
    root = tmp_path_factory.mktemp('exported')
    folder = root / 'data'
    folder.mkdir()
    small = dict(num_scenes=3, size=SIZE)
    export('cityscapes', folder / 'cityscapes', **small)
    export('ade20k', folder / 'ade', **small)
    export('voc2012_aug', root / 'voc', **small)
    (root / 'voc' / 'VOCdevkit').rename(folder / 'VOCdevkit')
    return root


@pytest.fixture
def two_steps(data, tmp_path):
    """Function: train a config for two iterations on exported pictures.

    It returns the model and its optimizer.
    """

    def train(path, size=SIZE) -> tuple[nn.Module, optim.Optimizer]:
        cfg = small(path, data, size)
        cfg.work_dir = str(tmp_path / 'work')
        cfg.experiment_name = tmp_path.name
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            logging.disable(logging.INFO)
            try:
                runner = RUNNERS.build(cfg)
                runner.train()
            finally:
                logging.disable(logging.NOTSET)
        assert runner.iter == 2
        return runner.model, runner.optim_wrapper.optimizer

    return train


def small(path, folder, size) -> Config:
    """What a training of two iterations on the exported pictures needs.

    Nothing else of the config: a runner prints all of it, several times, and
    that takes longer than the training.
    """
    cfg = Config.fromfile(path)
    loader, wrapper = cfg.train_dataloader, cfg.optim_wrapper
    for part in loader.dataset.get('datasets', [loader.dataset]):
        part.data_root = f'{folder}/{part.data_root}'
    loader.update(batch_size=2, num_workers=0, persistent_workers=False)
    if cfg.model.backbone.get('drop_path_rate'):
        # two samples, two steps: a block could be dropped from all of them
        cfg.model.backbone.drop_path_rate = 0.0
    shrink(cfg.model, size)
    shrink(loader, size)
    if wrapper.get('type') == 'AmpOptimWrapper':  # it asserts a GPU
        wrapper.type = 'OptimWrapper'
        wrapper.pop('loss_scale', None)
    return Config(
        dict(
            default_scope=cfg.default_scope,
            model=cfg.model,
            train_dataloader=loader,
            optim_wrapper=wrapper,
            param_scheduler=cfg.param_scheduler,
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=2),
        )
    )


def shrink(node, size) -> None:
    """Crops and resizes become the size that is trained on."""
    if isinstance(node, dict):
        for key in ('crop_size', 'size'):
            if isinstance(node.get(key), tuple):
                node[key] = size
        if 'scale' in node and 'type' in node:
            node['scale'] = size[::-1]
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for item in node:
            shrink(item, size)
