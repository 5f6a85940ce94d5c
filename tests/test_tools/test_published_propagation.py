"""Figures where the weights are, and dashes where they are not."""

import numpy as np
import pytest
import torch

from mcjepa_mm.datasets.embedded_world.export import export
from mcjepa_mm.registry import MODELS

NAME = 'label-propagation_mocov2-resnet50_davis2017-480p.py'


def cells(text):
    return [line.strip('| ').split(' | ') for line in text.splitlines()]


def test_without_weights_the_table_has_the_published_figures(
    command_here, repo, tmp_path
):
    done = command_here('published_propagation')
    assert done.returncode == 0, done.stderr
    head, _, *rows = cells(done.stdout)
    assert head[2:6] == ['published J&F', 'J&F', 'J', 'F']
    assert {row[0].split('_')[0]: row[2] for row in rows} == {
        'dino-vit-small-p16': '61.8',
        'dinov2-vit-small-p14': '-',
        'dinov3-convnext-tiny': '-',
        'dinov3-vit-small-p16': '72.7',
        'mocov1-resnet50': '66.8',
        'mocov2-resnet50': '-',
        'mocov3-resnet50': '-',
        'vicreg-resnet50': '-',
    }
    assert {*sum((row[3:6] for row in rows), [])} == {'-'}
    written = tmp_path / 'work_dirs/published_propagation.md'
    assert written.read_text() == done.stdout
    # the document has the same table
    document = repo / 'docs/results/published_backbones.md'
    assert done.stdout in document.read_text()


@pytest.mark.slow
def test_measures_with_weights(command_here, tmp_path):
    export('davis2017', tmp_path / 'davis', num_scenes=1, num_frames=3)
    net = dict(type='mmpretrain.ResNet', depth=50, base_channels=8)
    state = MODELS.build(net).state_dict()
    named = {f'module.encoder_q.{k}': v for k, v in state.items()}
    (tmp_path / 'weights').mkdir()
    path = tmp_path / 'weights/moco_v2_800ep_pretrain.pth.tar'
    torch.save(dict(state_dict=named), path)
    words = (
        *(NAME, '--data', tmp_path / 'davis/DAVIS', '--cfg-options'),
        'model.backbone.base_channels=8',
        'test_dataloader.num_workers=0',
        'test_dataloader.dataset.pipeline.2.short_side=128',
    )
    done = command_here('published_propagation', *words)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / 'work_dirs/published_propagation.md').read_text()
    assert done.stdout.endswith(table)
    [row] = cells(table)[2:]
    figures = [float(x) for x in row[3:6]]
    assert figures[0] == pytest.approx(np.mean(figures[1:]), abs=0.11)
    assert 0 < figures[0] < 100
    del named['module.encoder_q.conv1.weight']
    torch.save(dict(state_dict=named), path)
    done = command_here('published_propagation', *words)
    assert done.returncode == 1 and 'lacks 1 tensors' in done.stderr
