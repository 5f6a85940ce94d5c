"""Batches of several tasks, and a third task that is config only."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mcjepa_mm.models.heads import BasePretextHead
from mcjepa_mm.registry import DATASETS, MODELS

SIZE = 64
NORM = dict(mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0))


@DATASETS.register_module()
class ToyViews(Dataset):
    """Random views, and the path to a folder that must be there."""

    def __init__(self, length=4, folder=None):
        if folder is not None:
            raise FileNotFoundError(f'There is no folder {folder}.')
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        torch.manual_seed(index)
        views = torch.randint(0, 256, (2, 3, SIZE, SIZE), dtype=torch.uint8)
        return dict(inputs=views)


@MODELS.register_module()
class ToyHead(BasePretextHead):
    """A pretext task: bring the mean of the finest map to one."""

    def __init__(self, channels, **kwargs):
        super().__init__(num_views=2, **kwargs)
        self.scale = torch.nn.Parameter(torch.ones(channels))

    def loss(self, feats, inputs, encode):
        mean = feats[0].mean((0, 2, 3)) * self.scale
        return dict(mean=(mean - 1).square().mean())

    def predict(self, feats, inputs, data_samples):
        return data_samples


def toy_task(**kwargs):
    dataloader = dict(
        dataset=dict(type='mcjepa_mm.ToyViews', **kwargs),
        batch_size=2,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'),
    )
    return dict(dataloader=dataloader)


def config(tmp_path, tasks, **hook):
    """Three tasks: VICReg, flow, and the toy, by config alone."""
    head = dict(
        content=dict(
            type='mcjepa_mm.VICRegHead',
            in_channels=16,
            expander_channels=(8, 8),
            norm='LN',
        ),
        motion=dict(
            type='mcjepa_mm.FlowHead',
            decoder=dict(
                type='mcjepa_mm.FlowDecoder',
                in_channels=(4, 4, 8, 8, 16, 16),
                strides=(2, 4, 8, 16, 32, 64),
                finest=2,
                radius=1,
                hidden=(4,),
            ),
            losses=dict(
                rec=dict(type='mcjepa_mm.PhotometricLoss'),
                reg=dict(type='mcjepa_mm.FeatureRegressionLoss'),
            ),
            occlusion_weight=0.0,
            **NORM,
        ),
        toy=dict(type='mcjepa_mm.ToyHead', channels=4),
    )
    names = ['content', *tasks]
    begin = {k: task['begin'] for k, task in tasks.items() if 'begin' in task}
    return Config(
        dict(
            default_scope='mcjepa_mm',
            work_dir=str(tmp_path),
            experiment_name=tmp_path.name,
            model=dict(
                type='MultiTaskPretrainer',
                backbone=dict(
                    type='MCJEPAConvNeXt',
                    arch=dict(depths=(1, 1, 1, 1), channels=(8, 8, 16, 16)),
                ),
                heads={name: head[name] for name in names},
                data_preprocessor=dict(
                    type='MultiTaskDataPreprocessor',
                    tasks={
                        name: dict(type='ViewsDataPreprocessor', **NORM)
                        for name in names
                    },
                ),
            ),
            train_dataloader=dict(
                content=toy_task(length=8)['dataloader'],
                **{k: task.get('dataloader') for k, task in tasks.items()},
            ),
            train_cfg=dict(type='MultiTaskTrainLoop', max_epochs=2),
            optim_wrapper=dict(
                optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.1)
            ),
            custom_hooks=[
                dict(
                    type='MultiTaskHook',
                    main_task='content',
                    begin=begin,
                    **hook,
                )
            ],
            randomness=dict(seed=0),
        )
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


def test_combined_with_a_third_task(tmp_path):
    runner = Runner.from_cfg(
        config(tmp_path, dict(motion=toy_task(), toy=toy_task(length=3)))
    )
    steps = record_steps(runner)
    before = copy.deepcopy(runner.model.state_dict())
    runner.train()
    assert steps == [['content', 'motion', 'toy']] * 8
    after = runner.model.state_dict()
    for name in (
        'heads.toy.scale',
        'stem.0.0.weight',
        'heads.content.expander.0.weight',
        'heads.motion.decoder.estimators.5.predict.weight',
    ):
        name = name if name.startswith('heads') else f'backbone.{name}'
        assert not torch.equal(before[name], after[name]), name
    scalars = runner.message_hub.log_scalars
    assert {
        'train/loss',
        'train/content.invariance',
        'train/motion.rec',
        'train/toy.mean',
    } <= set(scalars)


@pytest.mark.parametrize(
    'strategy, expected',
    [
        ('alternate_batches', ['content', 'motion'] * 4),
        ('alternate_epochs', ['content'] * 4 + ['motion'] * 4),
    ],
)
def test_alternating(tmp_path, strategy, expected):
    runner = Runner.from_cfg(
        config(tmp_path, dict(motion=toy_task()), strategy=strategy)
    )
    steps = record_steps(runner)
    runner.train()
    assert steps == [[name] for name in expected]


def test_a_task_that_has_not_begun_does_not_move(tmp_path):
    """Not by gradient, not by weight decay, not by momentum."""
    cfg = config(tmp_path, dict(motion=dict(**toy_task(), begin=1)))
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
        cfg = config(
            folder,
            dict(motion=dict(**toy_task(), begin=begin)),
            by_epoch=by_epoch,
        )
        cfg.experiment_name = f'{tmp_path.name}{by_epoch}'
        runner = Runner.from_cfg(cfg)
        steps = record_steps(runner)
        runner.train()
        expected = [['content']] * late + [['content', 'motion']] * (8 - late)
        assert steps == expected


def test_missing_dataloader_of_a_later_task(tmp_path):
    """Found before the first step, not when the task begins."""
    runner = Runner.from_cfg(config(tmp_path, dict(motion=dict(begin=1))))
    with pytest.raises(ValueError, match=r"data for \['content'\]"):
        runner.train()


def test_a_head_that_is_only_validated_needs_no_task(tmp_path):
    cfg = config(tmp_path, dict(motion=toy_task()))
    cfg.model.heads.propagation = dict(type='mcjepa_mm.PropagationHead')
    runner = Runner.from_cfg(cfg)
    steps = record_steps(runner)
    runner.train()
    assert steps == [['content', 'motion']] * 8


def test_a_task_without_a_head(tmp_path):
    cfg = config(tmp_path, dict(motion=toy_task()))
    cfg.train_dataloader.other = toy_task()['dataloader']
    runner = Runner.from_cfg(cfg)
    with pytest.raises(ValueError, match="'motion', 'other'"):
        runner.train()


def test_without_the_hook_all_tasks_are_in_every_step(tmp_path):
    cfg = config(tmp_path, dict(motion=toy_task()))
    cfg.custom_hooks = []
    runner = Runner.from_cfg(cfg)
    steps = record_steps(runner)
    runner.train()
    assert steps == [['content', 'motion']] * 8


@pytest.mark.parametrize(
    'hook', [dict(main_task='motion'), dict(begin=dict(content=1))]
)
def test_the_hook_names_a_task_that_cannot_be(tmp_path, hook):
    cfg = config(tmp_path, {})
    cfg.custom_hooks[0].update(hook)
    with pytest.raises(ValueError, match=r"\['content'\]"):
        Runner.from_cfg(cfg).train()


def test_no_batch_is_loaded_to_be_dropped(tmp_path):
    cfg = config(
        tmp_path, dict(motion=toy_task()), strategy='alternate_batches'
    )
    runner = Runner.from_cfg(cfg)
    runner.train()
    streams = runner.train_loop.streams
    # 8 steps: 4 batches of content's 4, 4 of motion's 2
    places = {k: (x.epoch, x.batches) for k, x in streams.items()}
    assert places == dict(content=(0, 4), motion=(1, 2))


def test_a_loop_that_does_not_ask_the_hook(tmp_path):
    cfg = config(tmp_path, {})
    cfg.train_dataloader = cfg.train_dataloader.content
    cfg.train_cfg = dict(by_epoch=True, max_epochs=1)
    with pytest.raises(TypeError, match='MultiTaskTrainLoop'):
        Runner.from_cfg(cfg).train()


def test_missing_folder_of_a_later_task(tmp_path):
    task = dict(**toy_task(folder='/nowhere'), begin=1)
    runner = Runner.from_cfg(config(tmp_path, dict(motion=task)))
    with pytest.raises(FileNotFoundError, match='/nowhere'):
        runner.train()


def test_dataloader_without_a_batch_ends_before_training(tmp_path):
    task = dict(**toy_task(length=1), begin=1)
    task['dataloader']['drop_last'] = True
    runner = Runner.from_cfg(config(tmp_path, dict(motion=task)))
    with pytest.raises(ValueError, match="'motion' gives no batch.*1 samples"):
        runner.train()


def test_unknown_strategy(tmp_path):
    with pytest.raises(ValueError, match="'mixed'"):
        Runner.from_cfg(
            config(tmp_path, dict(motion=toy_task()), strategy='mixed')
        )
