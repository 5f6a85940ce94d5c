import re

import cv2
import pytest
import torch
from mmengine.runner import Runner
from toy_pretraining import evaluation, training

from mcjepa_mm.engine import PretrainVisualizationHook


def run(work_dir, *hooks, **kwargs):
    config = training(
        work_dir, **{**evaluation('val'), **kwargs}, custom_hooks=list(hooks)
    )
    config['train_dataloader']['sampler']['shuffle'] = True
    config['train_dataloader']['dataset']['restless'] = True
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


def pictures(work_dir):
    return sorted(
        path.name for path in work_dir.glob('*/vis_data/vis_image/*.png')
    )


def named_in_log(work_dir):
    (log,) = work_dir.glob('*/*.log')
    return re.findall(r'Picture of (\w+ \d+): (.*)', log.read_text())


def test_pictures_are_written_and_named(tmp_path):
    hook = dict(type='PretrainVisualizationHook', interval=1, num_samples=2)
    run(tmp_path, hook)
    expected = [f'pretraining_{epoch}.png' for epoch in range(3)]
    assert pictures(tmp_path) == expected
    named = named_in_log(tmp_path)
    assert [when for when, _ in named] == ['epoch 0', 'epoch 1', 'epoch 2']
    images = [cv2.imread(path) for _, path in named]
    # two rows of pairs; the model has learned something in between
    assert images[0].shape == images[2].shape
    assert (images[0] != images[2]).any()


@pytest.mark.parametrize(
    'kwargs, expected',
    [
        (dict(interval=5), [0, 2]),
        (dict(interval=3, by_epoch=False), [0, 3, 4]),
    ],
)
def test_interval(tmp_path, kwargs, expected):
    run(tmp_path, dict(type='PretrainVisualizationHook', **kwargs))
    assert pictures(tmp_path) == [f'pretraining_{i}.png' for i in expected]


def test_training_is_as_without(tmp_path):
    dataset = dict(type='ToyPairs', restless=True)
    plain = run(tmp_path / 'plain')
    drawn = run(
        tmp_path / 'drawn',
        dict(type='PretrainVisualizationHook', dataset=dataset),
    )
    assert len(pictures(tmp_path / 'drawn')) == 3
    expected = plain.model.state_dict()
    for name, value in drawn.model.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_own_dataset_needs_no_validation(tmp_path):
    run(
        tmp_path,
        dict(
            type='PretrainVisualizationHook',
            dataset=dict(type='ToyPairs', truth=False),
        ),
        val_dataloader=None,
        val_evaluator=None,
        val_cfg=None,
    )
    assert len(pictures(tmp_path)) == 3


def test_no_frame_pairs(tmp_path):
    with pytest.raises(ValueError, match="'content'.*not for 'video'"):
        run(tmp_path, dict(type='PretrainVisualizationHook', task='video'))


def test_refuses():
    with pytest.raises(ValueError, match='interval must be 1 or more'):
        PretrainVisualizationHook(interval=0)
    with pytest.raises(ValueError, match='num_samples'):
        PretrainVisualizationHook(num_samples=0)
