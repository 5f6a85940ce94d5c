import json

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from toy_pretraining import evaluation, training

from mcjepa_mm.registry import HOOKS


@HOOKS.register_module()
class RecordingHook(Hook):
    """Remember what the loop hands to hooks."""

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        assert not runner.model.training
        assert not torch.is_grad_enabled()
        self.batches = getattr(self, 'batches', [])
        self.batches.append((batch_idx, *data_batch))

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.outputs = getattr(self, 'outputs', 0) + len(outputs)

    def after_val_epoch(self, runner, metrics=None):
        self.metrics = metrics


def test_validation_in_a_training(tmp_path):
    config = training(
        tmp_path,
        **evaluation('val'),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1),
            checkpoint=dict(
                type='CheckpointHook', save_best='motion/EPE', rule='less'
            ),
        ),
        custom_hooks=[dict(type='RecordingHook')],
    )
    runner = Runner.from_cfg(config)
    runner.train()
    hook = next(h for h in runner.hooks if isinstance(h, RecordingHook))

    # 3 pairs in batches of 2, 6 images in batches of 4, two epochs
    once = [(0, 'motion'), (1, 'motion'), (2, 'content'), (3, 'content')]
    assert hook.batches == once + once
    assert hook.outputs == 2 * (3 + 6)
    assert set(hook.metrics) == {
        'motion/EPE',
        'motion/EPE_visible',
        'motion/EPE_occluded',
        'motion/EPE_zero',
        'motion/EPE_ratio',
        'content/std',
        'content/RankMe',
        'content/constant',
        'content/kNN',
        'content/kNN_centred',
    }
    # the toy's pairs move by (4, -3) px everywhere
    assert hook.metrics['motion/EPE_zero'] == pytest.approx(5)

    assert list(tmp_path.glob('best_motion_EPE_epoch_*.pth'))
    (log,) = tmp_path.glob('*/*.log')
    lines = log.read_text()
    assert 'Epoch(val) [2][3/4]' in lines
    assert 'motion/EPE_ratio: ' in lines and 'content/kNN: ' in lines
    (scalars,) = tmp_path.glob('*/vis_data/scalars.json')
    rows = [json.loads(row) for row in scalars.read_text().splitlines()]
    assert sum('motion/EPE' in row for row in rows) == 2
    # each metric got its own data set's meta information
    assert runner.val_evaluator.dataset_meta == dict(
        motion=dict(dataset_type='toy pairs'), content=None
    )


def test_test_equals_validation(tmp_path):
    config = training(tmp_path, **evaluation('val'), **evaluation('test'))
    runner = Runner.from_cfg(config)
    assert runner.test() == runner.val()
    assert len(runner.test_dataloader) == 4


def test_validation_alone(tmp_path):
    config = training(tmp_path, **evaluation('val'))
    for key in ('train_dataloader', 'train_cfg', 'optim_wrapper'):
        config.pop(key)
    assert 'motion/EPE' in Runner.from_cfg(config).val()


def test_a_task_that_is_none_is_left_out(tmp_path):
    config = training(tmp_path, **evaluation('val'))
    config['val_dataloader'] = dict(config['val_dataloader'], content=None)
    config['val_evaluator'] = dict(config['val_evaluator'], content=None)
    metrics = Runner.from_cfg(config).val()
    assert {name.split('/')[0] for name in metrics} == {'motion'}


def test_refuses_what_is_not_by_task(tmp_path):
    config = training(tmp_path, **evaluation('val'))
    whole = dict(config['val_dataloader'])
    config['val_dataloader'] = whole['motion']
    with pytest.raises(TypeError, match='by task'):
        Runner.from_cfg(config).val()
    config['experiment_name'] += '_2'
    config['val_dataloader'] = dict(motion=whole['motion'])
    with pytest.raises(ValueError, match="'content', 'motion'"):
        Runner.from_cfg(config).val()
