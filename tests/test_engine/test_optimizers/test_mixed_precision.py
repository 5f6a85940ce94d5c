"""Half precision on a CPU: scales, clipping, accumulation, state, training."""

import io
from pathlib import Path

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import distributed as dist
from torch import nn

import mcjepa_mm.engine  # noqa: F401
from mcjepa_mm.engine.launch import load_config
from mcjepa_mm.engine.optimizers import MixedPrecisionOptimWrapper
from mcjepa_mm.registry import MODELS

CONFIG = Path(__file__).parents[3] / 'configs' / 'mcjepa_convnext.py'
HALF = ['bfloat16', 'float16']


def line():
    torch.manual_seed(0)
    return nn.Linear(4, 3)


def wrap(model, dtype='float16', lr=0.1, **kwargs):
    sgd = torch.optim.SGD(model.parameters(), lr=lr)
    return MixedPrecisionOptimWrapper(sgd, dtype=dtype, **kwargs)


def step(model, wrapper, x, factor=1.0):
    with wrapper.optim_context(model):
        loss = factor * model(x).float().mean()
    wrapper.update_params(loss)


@pytest.mark.parametrize('dtype', HALF)
def test_forward_is_half_and_weights_are_not(dtype):
    model = line()
    wrapper = wrap(model, dtype)
    x = torch.randn(2, 4)
    with wrapper.optim_context(model):
        y = model(x)
    assert y.dtype == getattr(torch, dtype)
    assert model(x).dtype == torch.float32
    step(model, wrapper, x)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_float16_keeps_gradients_that_it_cannot_hold():
    # each output's gradient is 1e-8 / 6, the smallest float16 is 6e-8
    x = torch.full((2, 4), 3.0)
    moved = {}
    for name, settings in dict(
        scaled={}, not_scaled=dict(loss_scale=1.0), full=None
    ).items():
        model = line()
        before = model.weight.detach().clone()
        if settings is None:
            sgd = torch.optim.SGD(model.parameters(), lr=1e6)
            wrapper = OptimWrapper(sgd)
        else:
            wrapper = wrap(model, lr=1e6, **settings)
        step(model, wrapper, x, factor=1e-8)
        moved[name] = model.weight.detach() - before
    assert moved['full'].abs().min() > 0
    torch.testing.assert_close(
        moved['scaled'], moved['full'], rtol=2e-3, atol=0
    )
    assert not moved['not_scaled'].any()


def test_gradients_are_clipped_at_their_own_scale():
    model = line()
    before = [p.detach().clone() for p in model.parameters()]
    wrapper = wrap(
        model, lr=1.0, clip_grad=dict(max_norm=0.5), loss_scale=256.0
    )
    x = torch.ones(2, 4)
    step(model, wrapper, x, factor=3.0)
    # the mean over 3 outputs: 4 weights and a bias have the gradient 1 each
    norm = MessageHub.get_current_instance().get_scalar('train/grad_norm')
    assert norm.current() == pytest.approx(15**0.5, rel=1e-3)
    moved = torch.cat(
        [
            (p - b).detach().flatten()
            for p, b in zip(model.parameters(), before)
        ]
    )
    assert moved.norm() == pytest.approx(0.5, rel=1e-3)


def test_an_overflow_leaves_the_step_out_and_halves_the_scale():
    model = line()
    wrapper = wrap(model, loss_scale=dict(init_scale=2.0**20))
    before = model.weight.detach().clone()
    x = torch.ones(2, 4)
    step(model, wrapper, x)  # 2**20 / 6 is no float16
    assert torch.equal(model.weight, before)
    assert wrapper.loss_scaler.get_scale() == 2.0**19
    for _ in range(5):
        step(model, wrapper, x)
    assert not torch.equal(model.weight, before)


def test_a_number_is_a_scale_that_stays():
    model = line()
    wrapper = wrap(model, loss_scale=2.0**20)
    for _ in range(2):
        step(model, wrapper, torch.ones(2, 4))
    assert wrapper.loss_scaler.get_scale() == 2.0**20


@pytest.mark.parametrize('dtype', HALF)
def test_two_accumulated_batches_are_one_of_both(dtype):
    x = torch.randn(4, 4)
    parts, whole = line(), line()
    wrapper = wrap(parts, dtype, accumulative_counts=2)
    for part in x.chunk(2):
        step(parts, wrapper, part)
    step(whole, wrap(whole, dtype), x)
    assert not torch.equal(whole.weight, line().weight)
    torch.testing.assert_close(parts.weight, whole.weight, rtol=0, atol=1e-3)


def test_accumulation_puts_off_the_processes_meeting(tmp_path):
    dist.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/x', rank=0, world_size=1
    )
    try:
        model = MMDistributedDataParallel(line(), device_ids=None)
        wrapper = wrap(model, 'bfloat16', accumulative_counts=2)
        meets = []
        for _ in range(2):
            with wrapper.optim_context(model):
                meets.append(model.require_backward_grad_sync)
                loss = model.module(torch.ones(2, 4)).sum()
            wrapper.update_params(loss)
    finally:
        dist.destroy_process_group()
    assert meets == [False, True]


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_the_scale_goes_on_after_a_resume():
    torch.manual_seed(1)
    batches = torch.randn(6, 2, 4)
    settings = dict(
        loss_scale=dict(init_scale=2.0**18, growth_interval=2),
    )
    model, resumed = line(), line()
    wrapper = wrap(model, **settings)
    scales = []
    for x in batches:
        step(model, wrapper, x)
        scales.append(wrapper.loss_scaler.get_scale())
    # halved, doubled, and halved again
    assert {2.0**17, 2.0**18} == set(scales) and scales[-1] > scales[-2]

    first = wrap(resumed, **settings)
    for x in batches[:3]:
        step(resumed, first, x)
    state = through_a_file(first.state_dict())
    second = wrap(resumed, **settings)
    second.load_state_dict(state)
    for x in batches[3:]:
        step(resumed, second, x)
    assert second.loss_scaler.state_dict() == wrapper.loss_scaler.state_dict()
    assert torch.equal(resumed.weight, model.weight)


def test_a_run_may_change_its_precision():
    model = line()
    scaled = wrap(model)
    step(model, scaled, torch.ones(2, 4))
    plain = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    brain = wrap(model, 'bfloat16')
    assert 'loss_scaler' not in brain.state_dict()
    for source, target in (
        (scaled, brain),
        (scaled, plain),
        (brain, wrap(model)),
        (plain, wrap(model)),
    ):
        target.load_state_dict(source.state_dict())
        step(model, target, torch.ones(2, 4))


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(dtype='float32'), "'bfloat16', 'float16'.*'float32'"),
        (dict(dtype='bfloat16', loss_scale=8.0), 'needs no loss scale'),
        (dict(loss_scale='static'), "'dynamic', a number.*'static'"),
        (dict(loss_scale=-1), 'above 0.*-1'),
    ],
)
def test_what_makes_no_sense_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        wrap(line(), **settings)


def train(steps, *options):
    """Train the default config's model with these options, on noise."""
    # A CPU's float16 convolutions are slow: no flow at strides 2 and 4. Adam's
    # first step is the rate whatever the gradient: a rounding that turns the
    # sign of a small one is a whole step, so the rate is low.
    options += (
        'optim_wrapper.optimizer.lr=3e-5',
        'model.heads.motion.decoder.finest=2',
        'model.heads.motion.occlusion_weight=0',  # as the job begins
    )
    cfg = load_config(str(CONFIG), cfg_options=[*options])
    init_default_scope('mcjepa_mm')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    data = {
        task: dict(inputs=torch.randint(0, 256, (size, 2, 3, 64, 64)))
        for task, size in (('content', 4), ('motion', 2))
    }
    logs = [model.train_step(data, wrapper) for _ in range(steps)]
    return wrapper, logs


@pytest.mark.slow
@pytest.mark.parametrize(
    'options, bound',
    [(['dtype=bfloat16'], 0.04), (['dtype=float16', 'loss_scale=256'], 0.005)],
)
def test_training_in_half_precision_follows_float32(options, bound):
    _, full = train(2)
    assert full[-1]['loss'] < full[0]['loss']
    # An output has gone through some 50 roundings of 2**-9 (bfloat16) or
    # 2**-12. Where they are independent they add up to 7 times one, 0.014 or
    # 0.0017; the bounds are three times that. A fragile term at fault is NaN
    # or off by as much as it is large.
    wrapper, half = train(
        2,
        'optim_wrapper.type=MixedPrecisionOptimWrapper',
        *(f'optim_wrapper.{option}' for option in options),
    )
    for now, then in zip(half, full, strict=True):
        assert now.keys() == then.keys() and len(now) == 11
        for name, value in now.items():
            assert value.dtype == torch.float32, name
            torch.testing.assert_close(
                value,
                then[name],
                rtol=bound,
                atol=0,
                msg=lambda m, name=name: f'{name}: {m}',
            )
    for group in wrapper.optimizer.param_groups:
        assert all(p.isfinite().all() for p in group['params'])
