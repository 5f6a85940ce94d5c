"""Gradients by task and level: what they are, and that nothing else is."""

import copy

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel, BaseModule
from mmengine.runner import Runner
from torch import nn
from two_tasks import ENCODER, config, noise

from mcjepa_mm.engine.hooks import GradientMonitorHook
from mcjepa_mm.registry import MODELS
from mcjepa_mm.utils.dist import unwrapped
from mcjepa_mm.utils.random_state import preserved_random_state

LEVELS = [f'level{i}' for i in range(6)]


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


def build(
    tmp_path,
    tasks=('content', 'motion'),
    *,
    interval=1,
    hooks=(),
    backbone=ENCODER,
    wrapper=None,
    epochs=1,
    launcher='none',
    **task_hook,
):
    """A runner of four steps an epoch; no monitor if the interval is 0."""
    monitor = dict(type='GradientMonitorHook', interval=interval)
    collapse = dict(type='CollapseMonitorHook', interval=1, min_samples=2)
    cfg = config(
        tmp_path,
        {task: noise() for task in tasks},
        epochs,
        backbone=backbone,
        hooks=[monitor] if interval else [],
        **task_hook,
    )
    cfg.default_hooks = dict(checkpoint=None, collapse=collapse)
    cfg.optim_wrapper.update(wrapper or {})
    cfg.launcher = launcher
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel', device_ids=None
    )
    runner = Runner.from_cfg(cfg)
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


def share(rank, folder):
    taken = StepGradients()
    runner = build(
        folder / str(rank), ['content'], hooks=[taken], launcher='pytorch'
    )
    runner.train()
    return figures(runner), taken.norms


@pytest.mark.slow
def test_the_mean_over_the_processes(two_processes, tmp_path):
    got, taken = two_processes(__file__, tmp_path)[0]
    for level in LEVELS:
        expected = [step[level] for step in taken]
        assert len(expected) == 2
        assert got[f'content/{level}'] == pytest.approx(expected, rel=1e-4)
