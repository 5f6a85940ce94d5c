"""Gradients by task and level: what they are, and that nothing else is."""

import copy
import itertools
import os
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel, BaseModule
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from mcjepa_mm.engine.hooks import GradientMonitorHook
from mcjepa_mm.registry import DATASETS, MODELS
from mcjepa_mm.utils.dist import unwrapped
from mcjepa_mm.utils.random_state import preserved_random_state

LEVELS = [f'level{i}' for i in range(6)]
NORM = dict(mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0))
NUMBERS = itertools.count()


@DATASETS.register_module()
class NoisePairs(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        size = (2, 3, 64, 64)
        views = torch.randint(0, 256, size, generator=generator)
        return dict(inputs=views.byte())


@MODELS.register_module()
class ConvPyramid(BaseModule):
    """A backbone without levels that have a name."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(
            [nn.Conv2d(3, 4, 8, 8), nn.Conv2d(4, 16, 8)]
        )

    def forward(self, x):
        x = self.convs[0](x)
        return x, self.convs[1](x)


DATALOADER = dict(
    dataset=dict(type='mcjepa_mm.NoisePairs'),
    batch_size=2,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
)
ENCODER = dict(
    type='MCJEPAConvNeXt',
    arch=dict(depths=(1, 1, 1, 1), channels=(8, 8, 16, 16)),
    drop_path_rate=0.4,
    layer_scale_init_value=1.0,
)
HEADS = dict(
    content=dict(
        type='VICRegHead',
        in_channels=16,
        expander_channels=(8, 8),
        loss_weight=0.5,
    ),
    motion=dict(
        type='FlowHead',
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
)


def build(
    tmp_path,
    tasks=('content', 'motion'),
    *,
    interval=1,
    hooks=(),
    backbone=ENCODER,
    wrapper=None,
    epochs=1,
    **task_hook,
):
    """A runner of four steps an epoch; no monitor if the interval is 0."""
    monitor = dict(type='GradientMonitorHook', interval=interval)
    runner = Runner.from_cfg(
        Config(
            dict(
                default_scope='mcjepa_mm',
                work_dir=str(tmp_path),
                experiment_name=f'{tmp_path.name} {next(NUMBERS)}',
                launcher=task_hook.pop('launcher', 'none'),
                model_wrapper_cfg=dict(
                    type='MMDistributedDataParallel', device_ids=None
                ),
                model=dict(
                    type='MultiTaskPretrainer',
                    backbone=backbone,
                    heads={task: HEADS[task] for task in tasks},
                    data_preprocessor=dict(
                        type='MultiTaskDataPreprocessor',
                        tasks={
                            task: dict(type='ViewsDataPreprocessor', **NORM)
                            for task in tasks
                        },
                    ),
                ),
                train_dataloader=dict.fromkeys(tasks, DATALOADER),
                train_cfg=dict(type='MultiTaskTrainLoop', max_epochs=epochs),
                optim_wrapper=dict(
                    optimizer=dict(type='AdamW', lr=1e-3), **(wrapper or {})
                ),
                default_hooks=dict(
                    checkpoint=None,
                    collapse=dict(
                        type='CollapseMonitorHook', interval=1, min_samples=2
                    ),
                ),
                custom_hooks=[
                    dict(
                        type='MultiTaskHook',
                        main_task=tasks[0],
                        **task_hook,
                    ),
                    *([monitor] if interval else []),
                ],
                randomness=dict(seed=0),
            )
        )
    )
    for hook in hooks:
        runner.register_hook(hook)
    return runner


def figures(runner):
    """The series by name, without ``gradient/``."""
    prefix = 'train/gradient/'
    return {
        name.removeprefix(prefix): values.data[0].tolist()
        for name, values in runner.message_hub.log_scalars.items()
        if name.startswith(prefix)
    }


def level_parameters(model):
    return {
        f'level{i}': [
            p for part in model.backbone.level(i) for p in part.parameters()
        ]
        for i in range(6)
    }


def flat(gradients):
    return torch.cat([x.double().flatten() for x in gradients])


class ByHand(Hook):
    """The gradients of one forward pass of all tasks, by a copied model."""

    priority = 'LOWEST'

    def __init__(self):
        self.steps = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        model = copy.deepcopy(unwrapped(runner.model))
        for module in model.modules():
            module._forward_hooks.clear()
        found = {}
        with preserved_random_state():
            losses = model(
                **model.data_preprocessor(data_batch, True), mode='loss'
            )
        for task in data_batch:
            loss = sum(
                term
                for name, term in losses.items()
                if name.startswith(f'{task}.')
            )
            for level, parameters in level_parameters(model).items():
                gradients = torch.autograd.grad(
                    loss, parameters, retain_graph=True, allow_unused=True
                )
                found[task, level] = flat(
                    torch.zeros_like(p) if g is None else g
                    for g, p in zip(gradients, parameters)
                )
        self.steps.append(found)


class StepGradients(Hook):
    """What lies in ``.grad`` when the optimiser makes its step."""

    def before_train(self, runner):
        self.norms = []
        step = runner.optim_wrapper.step

        def record_and_step(**kwargs):
            levels = level_parameters(unwrapped(runner.model))
            self.norms.append(
                {
                    name: flat(p.grad for p in parameters).norm().item()
                    for name, parameters in levels.items()
                }
            )
            step(**kwargs)

        runner.optim_wrapper.step = record_and_step


@pytest.mark.slow
def test_norms_and_cosines_equal_autograd_by_hand(tmp_path):
    by_hand, taken = ByHand(), StepGradients()
    runner = build(tmp_path, hooks=[by_hand, taken])
    runner.train()
    got = figures(runner)
    assert len(got) == 3 * 6 and len(by_hand.steps) == 4
    for i, step in enumerate(by_hand.steps):
        for level in LEVELS:
            content, motion = step['content', level], step['motion', level]
            lengths = content.norm().item(), motion.norm().item()
            cosine = (content @ motion).item() / (lengths[0] * lengths[1])
            assert got[f'content/{level}'][i] == pytest.approx(
                lengths[0], rel=1e-4
            )
            assert got[f'motion/{level}'][i] == pytest.approx(
                lengths[1], rel=1e-4
            )
            assert got[f'cosine/content_motion/{level}'][i] == pytest.approx(
                cosine, abs=1e-4
            )
            # and both together are what the optimiser got
            assert taken.norms[i][level] == pytest.approx(
                (content + motion).norm().item(), rel=1e-4
            )


class Record(Hook):
    """The losses of every step and the states that a pass may change."""

    def __init__(self):
        self.losses, self.random = [], []

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        self.losses.append({k: float(v) for k, v in outputs.items()})
        self.random.append(torch.get_rng_state())


@pytest.mark.parametrize(
    'wrapper',
    [
        {},
        dict(accumulative_counts=2, clip_grad=dict(max_norm=0.1)),
        dict(type='MixedPrecisionOptimWrapper', dtype='bfloat16'),
        dict(type='MixedPrecisionOptimWrapper', dtype='float16'),
    ],
)
def test_training_is_the_same_bit_for_bit(tmp_path, wrapper):
    def run(interval):
        record = Record()
        runner = build(
            tmp_path,
            interval=interval,
            hooks=[record],
            wrapper=wrapper,
            epochs=2,
        )
        runner.train()
        scalars = runner.message_hub.log_scalars
        return (
            runner,
            record,
            [
                scalars[f'train/collapse/{name}/std'].data[0].tolist()
                for name in ('content', 'backbone')
            ],
        )

    (plain, expected, heard), (watched, got, heard_too) = map(run, (0, 3))
    assert len(figures(watched)['motion/level0']) == 2
    assert not figures(plain)
    assert got.losses == expected.losses and heard_too == heard
    for one, other in zip(got.random, expected.random):
        assert torch.equal(one, other)
    state = watched.model.state_dict()
    assert any('running_var' in name for name in state)
    for name, value in plain.model.state_dict().items():
        assert torch.equal(state[name], value), name
    moments = zip(
        *(x.optim_wrapper.optimizer.state.values() for x in (plain, watched))
    )
    for one, other in moments:
        assert torch.equal(one['exp_avg_sq'], other['exp_avg_sq'])


def test_a_loss_scale_is_taken_off_again(tmp_path):
    def first(**wrapper):
        runner = build(tmp_path, wrapper=wrapper)
        runner.train()
        return {name: series[0] for name, series in figures(runner).items()}

    half = first(
        type='MixedPrecisionOptimWrapper', dtype='float16', loss_scale=256.0
    )
    full = first()
    assert half['content/level2'] == pytest.approx(
        full['content/level2'], rel=0.2
    )


def test_a_task_that_is_not_in_the_step_is_waited_for(tmp_path):
    runner = build(tmp_path, interval=2, strategy='alternate_batches')
    runner.train()
    # Measured from the second step on: motion's, and content's at the third.
    got = figures(runner)
    assert {name: len(x) for name, x in got.items()} == {
        **{f'content/{level}': 1 for level in LEVELS},
        **{f'motion/{level}': 2 for level in LEVELS},
    }


def test_another_backbone_and_one_task(tmp_path):
    backbone = dict(type='mcjepa_mm.ConvPyramid')
    runner = build(tmp_path, ['content'], backbone=backbone, interval=4)
    runner.train()
    (value,) = figures(runner)['content/encoder']
    assert value > 0 and len(figures(runner)) == 1


def test_frozen_levels_are_left_out(tmp_path):
    backbone = dict(ENCODER, frozen_stages=2)
    runner = build(tmp_path, ['content'], backbone=backbone, interval=4)
    runner.train()
    assert set(figures(runner)) == {f'content/{x}' for x in LEVELS[2:]}


class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(1, 1)

    def forward(self, inputs, mode):
        return dict(loss=self.line(inputs).sum())


def test_what_is_wrong_is_refused(tmp_path):
    with pytest.raises(ValueError, match='interval >= 1, got 0'):
        GradientMonitorHook(interval=0)
    runner = build(tmp_path, backbone=dict(ENCODER, frozen_stages=6))
    with pytest.raises(TypeError, match='no parameter of the backbone'):
        runner.train()
    runner.model = Line()
    with pytest.raises(TypeError, match='heads by task, .* got a Line'):
        GradientMonitorHook().before_train(runner)


def train_share(rank, folder):
    os.environ['LOCAL_RANK'] = str(rank)
    torch.distributed.init_process_group(
        'gloo',
        init_method=f'file://{folder / "rendezvous"}',
        rank=rank,
        world_size=2,
    )
    taken = StepGradients()
    runner = build(
        folder / str(rank), ['content'], hooks=[taken], launcher='pytorch'
    )
    runner.train()
    if rank == 0:
        content = dict(got=figures(runner), taken=taken.norms)
        torch.save(content, folder / 'figures.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_the_mean_over_the_processes(two_processes, tmp_path):
    two_processes(__file__, tmp_path)
    content = torch.load(tmp_path / 'figures.pth')
    for level in LEVELS:
        expected = [step[level] for step in content['taken']]
        assert len(expected) == 2
        assert content['got'][f'content/{level}'] == pytest.approx(
            expected, rel=1e-4
        )


if __name__ == '__main__':
    train_share(int(sys.argv[1]), Path(sys.argv[2]))
