"""What a run says before it trains, and in a line of the training."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import mmengine
import torch

from mcjepa_mm.engine.launch import build_runner, load_config

REPO = Path(__file__).resolve().parents[2]


def test_the_log_of_the_default_job(tmp_path):
    cfg = load_config(
        str(REPO / 'tests' / 'toys' / 'short_pretraining.py'),
        work_dir=str(tmp_path),
        cfg_options=[
            'train_cfg.max_epochs=1',
            f'custom_hooks.2.path={tmp_path / "losses.jsonl"}',
            'experiment_name=short log',
        ],
    )
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    runner = build_runner(cfg)
    runner.train()
    (log,) = tmp_path.glob('*/*.log')
    lines = log.read_text().splitlines()
    first = next(i for i, x in enumerate(lines) if 'Epoch(train)' in x)
    before = [x for x in lines[:first] if ' - mmengine - ' in x]
    assert len(before) < 20, before
    assert any('Config: ' in x and 'short_pretraining.py' in x for x in before)
    assert (tmp_path / 'short_pretraining.py').is_file()
    hooks = (log.parent / 'hooks.txt').read_text()
    assert 'before_train_iter:' in hooks and 'MultiTaskHook' in hooks

    record = json.loads((log.parent / 'environment.json').read_text())
    assert record['command'] == shlex.join(sys.orig_argv)
    assert record['seed'] == runner.seed
    assert record['threads'] == torch.get_num_threads()
    assert record['processor'] == torch.backends.cpu.get_cpu_capability()
    assert record['system']['PyTorch'] == torch.__version__
    assert record['packages']['mmengine'] == mmengine.__version__
    head = ['git', '-C', str(REPO), 'rev-parse', 'HEAD']
    if (REPO / '.git').exists():
        commit = subprocess.check_output(head, text=True)
        assert commit[:7] in record['commit']

    training = [x for x in lines if 'Epoch(train)' in x]
    assert len(training) == 5
    # the year is in the file's lines alone
    assert max(len(x) - len('2026/') for x in training) <= 120
    for word in (' loss ', ' content ', ' motion ', ' eta ', ' s'):
        assert word in training[-1]
    scalars = (log.parent / 'vis_data' / 'scalars.json').read_text()
    last = scalars.splitlines()[-1]
    assert '"motion.rec"' in last and '"content.variance"' in last
