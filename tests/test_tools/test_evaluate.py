import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from mmengine.config import Config
from toy_pretraining import evaluation, training

from mcjepa_mm.engine.launch import build_runner

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A work dir with a trained toy, its config and its pictures."""
    work_dir = tmp_path_factory.mktemp('work')
    config = training(
        work_dir,
        launcher='none',
        **evaluation('val'),
        **evaluation('test'),
        custom_imports=dict(imports=['toy_pretraining']),
        custom_hooks=[dict(type='PretrainVisualizationHook')],
    )
    config['train_cfg']['max_epochs'] = 12
    config = Config(config)
    config.dump(work_dir / 'toy.py')
    build_runner(config).train()
    return work_dir


def call(*args):
    paths = f'{ROOT}{os.pathsep}{ROOT / "tests" / "toys"}'
    return subprocess.run(
        [sys.executable, str(ROOT / 'tools' / 'evaluate.py'), *map(str, args)],
        env=dict(os.environ, PYTHONPATH=paths),
        capture_output=True,
        text=True,
    )


def rows(output):
    """The table's rows: {name: (untrained, trained)}."""
    lines = [x for x in output.splitlines() if x.startswith('| ')]
    cells = [[y.strip() for y in x.strip('|').split('|')] for x in lines]
    assert cells[0] == ['', 'untrained', 'trained']
    return {name: tuple(map(float, values)) for name, *values in cells[1:]}


@pytest.mark.slow
def test_table_figures_and_pictures(trained, tmp_path):
    done = call(trained / 'toy.py', trained, '--out', tmp_path)
    assert done.returncode == 0, done.stderr
    figures = rows(done.stdout)
    assert figures['EPE of the zero flow (px)'] == (5, 5)
    before, after = figures['flow EPE (px)']
    assert before > 4.5 and after < 3.5
    assert figures['flow EPE / zero flow'][1] == pytest.approx(
        after / 5, abs=1e-3
    )
    assert len(figures) == 10

    report = json.loads((tmp_path / 'metrics.json').read_text())
    assert report['trained']['metrics']['motion/EPE'] == pytest.approx(
        after, abs=1e-3
    )
    assert report['checkpoint'].endswith('epoch_12.pth')

    named = [
        Path(line.split(': ', 1)[1])
        for line in done.stdout.splitlines()
        if line.startswith('picture: ')
    ]
    assert [path.name for path in named] == [
        *(f'pretraining_{i}.png' for i in range(13)),
        'sheet_untrained.png',
        'sheet_trained.png',
    ]
    assert all(cv2.imread(str(path)) is not None for path in named)
    assert not list(tmp_path.glob('*.part'))
