"""Batches of several tasks; a third one trains in tests/test_docs."""

import copy

import pytest
import torch
from mmengine.runner import Runner
from two_tasks import config, noise


def job(tmp_path, motion=None, **hook):
    """Four steps of content an epoch, and motion."""
    return config(
        tmp_path, dict(content=noise(), motion=motion or noise(4)), **hook
    )


def record_steps(runner):
    """Names of the terms of every step, in order."""
    steps = []
    parse = runner.model.parse_losses

    def parse_and_record(losses):
        steps.append(sorted({name.split('.')[0] for name in losses}))
        assert all(torch.isfinite(term) for term in losses.values())
        return parse(losses)

    runner.model.parse_losses = parse_and_record
    return steps


@pytest.mark.parametrize(
    'strategy, expected',
    [
        ('alternate_batches', ['content', 'motion'] * 4),
        ('alternate_epochs', ['content'] * 4 + ['motion'] * 4),
    ],
)
def test_alternating(tmp_path, strategy, expected):
    runner = Runner.from_cfg(job(tmp_path, strategy=strategy))
    steps = record_steps(runner)
    runner.train()
    assert steps == [[name] for name in expected]


def test_a_task_that_has_not_begun_does_not_move(tmp_path):
    """Not by gradient, not by weight decay, not by momentum."""
    cfg = job(tmp_path, begin=dict(motion=1))
    cfg.train_cfg.max_epochs = 1
    runner = Runner.from_cfg(cfg)
    steps = record_steps(runner)
    runner.model.init_weights()
    before = copy.deepcopy(runner.model.heads['motion'].state_dict())
    runner.model.init_weights = lambda: None  # keep what was copied
    runner.train()
    assert steps == [['content']] * 4
    for name, value in runner.model.heads['motion'].state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_task_begins_by_epoch_and_by_iteration(tmp_path):
    for by_epoch, begin, late in ((True, 1, 4), (False, 3, 3)):
        folder = tmp_path / str(by_epoch)
        cfg = job(folder, begin=dict(motion=begin), by_epoch=by_epoch)
        runner = Runner.from_cfg(cfg)
        steps = record_steps(runner)
        runner.train()
        expected = [['content']] * late + [['content', 'motion']] * (8 - late)
        assert steps == expected


def test_missing_dataloader_of_a_later_task(tmp_path):
    """Found before the first step, not when the task begins."""
    cfg = job(tmp_path, begin=dict(motion=1))
    del cfg.train_dataloader['motion']
    runner = Runner.from_cfg(cfg)
    with pytest.raises(ValueError, match=r"data for \['content'\]"):
        runner.train()


def test_a_head_that_is_only_validated_needs_no_task(tmp_path):
    cfg = job(tmp_path)
    cfg.model.heads.propagation = dict(type='mcjepa_mm.PropagationHead')
    runner = Runner.from_cfg(cfg)
    steps = record_steps(runner)
    runner.train()
    assert steps == [['content', 'motion']] * 8


def test_a_task_without_a_head(tmp_path):
    cfg = job(tmp_path)
    cfg.train_dataloader.other = noise()
    runner = Runner.from_cfg(cfg)
    with pytest.raises(ValueError, match="'motion', 'other'"):
        runner.train()


def test_without_the_hook_all_tasks_are_in_every_step(tmp_path):
    cfg = job(tmp_path)
    cfg.custom_hooks = []
    runner = Runner.from_cfg(cfg)
    steps = record_steps(runner)
    runner.train()
    assert steps == [['content', 'motion']] * 8


@pytest.mark.parametrize(
    'hook', [dict(main_task='motion'), dict(begin=dict(content=1))]
)
def test_the_hook_names_a_task_that_cannot_be(tmp_path, hook):
    cfg = config(tmp_path, dict(content=noise()))
    cfg.custom_hooks[0].update(hook)
    with pytest.raises(ValueError, match=r"\['content'\]"):
        Runner.from_cfg(cfg).train()


def test_no_batch_is_loaded_to_be_dropped(tmp_path):
    cfg = job(tmp_path, strategy='alternate_batches')
    runner = Runner.from_cfg(cfg)
    runner.train()
    streams = runner.train_loop.streams
    # 8 steps: 4 batches of content's 4, 4 of motion's 2
    places = {k: (x.epoch, x.batches) for k, x in streams.items()}
    assert places == dict(content=(0, 4), motion=(1, 2))


def test_a_loop_that_does_not_ask_the_hook(tmp_path):
    cfg = config(tmp_path, dict(content=noise()))
    cfg.train_dataloader = cfg.train_dataloader.content
    cfg.train_cfg = dict(by_epoch=True, max_epochs=1)
    with pytest.raises(TypeError, match='MultiTaskTrainLoop'):
        Runner.from_cfg(cfg).train()


def test_dataloader_without_a_batch_ends_before_training(tmp_path):
    motion = dict(noise(1), drop_last=True)
    runner = Runner.from_cfg(job(tmp_path, motion, begin=dict(motion=1)))
    with pytest.raises(ValueError, match="'motion' gives no batch.*1 samples"):
        runner.train()


def test_unknown_strategy(tmp_path):
    with pytest.raises(ValueError, match="'mixed'"):
        Runner.from_cfg(job(tmp_path, strategy='mixed'))
