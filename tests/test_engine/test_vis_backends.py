"""The documented lines that send a run to Weights & Biases and MLflow."""

import importlib.util
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import VISBACKENDS

from mcjepa_mm.compat import mlflow_pictures
from mcjepa_mm.engine.launch import load_config

REPO = Path(__file__).resolve().parents[2]
CONFIG = REPO / 'configs' / 'mcjepa_convnext.py'
TEXT = (REPO / 'docs' / 'pretraining.md').read_text().replace('\\\n', ' ')
COMMANDS = re.findall(r'^.*mim train .*VisBackend.*$', TEXT, re.MULTILINE)


@pytest.mark.parametrize('package', ['wandb', 'mlflow'])
def test_a_documented_line(package, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('WANDB_MODE', 'offline')
    (line,) = (x for x in COMMANDS if package in x.lower())
    words = shlex.split(line)
    options = words[words.index('--cfg-options') + 1 :]
    cfg = load_config(str(CONFIG), work_dir='work', cfg_options=options)
    mlflow_pictures.apply()
    local, other = cfg.visualizer.vis_backends
    assert local.type == 'LocalVisBackend'
    backend = VISBACKENDS.build(dict(other, save_dir='work/vis_data'))
    if importlib.util.find_spec(package) is None:
        with pytest.raises(ImportError, match=f'pip install {package}'):
            backend.add_config(cfg)
        return
    backend.add_config(cfg)
    backend.add_scalars({'content.invariance': 0.5, 'motion/EPE': 1.0}, 1)
    backend.add_image('flow', np.zeros((8, 8, 3), np.uint8), 1)
    backend.close()
    if package == 'wandb':
        assert [*tmp_path.rglob('run-*.wandb')]
    else:
        assert [*tmp_path.rglob('flow_1.png')] and Path('mlflow.db').is_file()
