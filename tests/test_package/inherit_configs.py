"""Inherit each pretraining config in turn, where the package is installed.

Run in an empty folder. Of each it builds model and optimiser, in the size of a
test; of the one that is named in the first argument it trains two steps.
"""

import os
import sys
from pathlib import Path

from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

import mcjepa_mm
from mcjepa_mm.engine.launch import build_runner, load_config
from mcjepa_mm.registry import MODELS

ROOT = Path(mcjepa_mm.__file__).parent / '.mim' / 'configs'


def inherit(name: str, *lines: str) -> str:
    text = '\n'.join([f"_base_ = 'mcjepa_mm::{name}'", *lines, ''])
    Path('mine.py').write_text(text)
    return 'mine.py'


def build(cfg: Config) -> None:
    init_default_scope(cfg.default_scope)
    if cfg.model.heads.get('content'):
        cfg.model.heads.content.expander_channels = (8, 8)
    build_optim_wrapper(MODELS.build(cfg.model), cfg.optim_wrapper)


def train(name: str) -> None:
    config = inherit(
        name,
        'content = dict(batch_size=4, dataset=dict(length=8))',
        'train_dataloader = dict(content=content)',
        'train_cfg = dict(max_epochs=1)',
        'val_dataloader = dict(motion=None, propagation=None)',
        'val_evaluator = dict(motion=None, propagation=None)',
        'visualizer = dict(vis_backends=[])',
    )
    cfg = load_config(config)
    cfg.custom_hooks = cfg.custom_hooks[:2]  # without pictures
    cfg.val_dataloader.content.dataset.length = 24
    runner = build_runner(cfg)
    runner.train()
    assert runner.iter == 2


if __name__ == '__main__':
    # an earlier copy may be importable, too
    assert ROOT.is_relative_to(os.environ['PYTHONPATH'].split(':')[0])
    train(sys.argv[1])
    names = sorted(path.name for path in ROOT.glob('pretrain/*.py'))
    for name in names:
        build(Config.fromfile(inherit(f'pretrain/{name}')))
    print(f'inherited {len(names)}')
