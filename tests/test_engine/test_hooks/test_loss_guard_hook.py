"""A loss that is not finite, in every way in which a step is made."""

import copy
import itertools
import math
import re
import sys

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import Dataset

from mcjepa_mm.engine.hooks import LossGuardHook
from mcjepa_mm.engine.hooks.loss_guard_hook import sample_names
from mcjepa_mm.models.base_model import ModeModel

STEPS, BATCH = 6, 2
NUMBERS = itertools.count()
BAD = 13  # in the fourth batch of the second of two processes


def of_steps(*steps):
    """The samples of these steps."""
    return [i for i in range(STEPS * BATCH) if i // BATCH in steps]


class Samples(Dataset):
    """Vectors for two tasks; the ``bad`` samples hold a NaN in one."""

    def __init__(
        self, bad=(), task='motion', left_out=(), length=STEPS * BATCH
    ):
        self.indices = [i for i in range(length) if i not in left_out]
        self.bad, self.task = bad, task

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, position):
        index = self.indices[position]
        generator = torch.Generator().manual_seed(index)
        sample = {}
        for task in ('content', 'motion'):
            x = torch.randn(3, generator=generator)
            if task == self.task and index in self.bad:
                x[0] = math.nan
            info = dict(sample_idx=index, img_path=f'/{task}/{index}.png')
            sample[task] = dict(
                inputs=x, data_samples=BaseDataElement(metainfo=info)
            )
        return sample


class Fit(ModeModel):
    """Each task fits ones, through one batch norm."""

    def __init__(self, extra=None):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.extra = extra or {}

    def forward(self, content, motion, mode):
        losses = {}
        for name, batch in dict(content=content, motion=motion).items():
            y = self.layer(torch.stack(batch['inputs']))
            z = self.norm(y)
            losses[f'{name}.loss'] = ((y - 1).square() + z.square()).mean()
        zero = 0 * losses['content.loss']
        return {**losses, **{k: zero + v for k, v in self.extra.items()}}


class Recorder(Hook):
    """Keep the state before and after every iteration."""

    def __init__(self):
        self.before, self.after = [], []

    def _state(self, runner):
        return copy.deepcopy(
            [
                dict(runner.model.state_dict()),
                runner.optim_wrapper.optimizer.state_dict(),
            ]
        )

    def before_train_iter(self, runner, **kwargs):
        self.before.append(self._state(runner))

    def after_train_iter(self, runner, **kwargs):
        self.after.append(self._state(runner))


def same(one, two):
    """Whether nested states are equal, bit by bit."""
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(
            same(one[k], two[k]) for k in one
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    return one == two


def loader(dataset):
    return dict(
        batch_size=BATCH,
        num_workers=0,
        dataset=dataset,
        sampler=dict(type='DefaultSampler', shuffle=False),
    )


def build(tmp_path, dataset, model=None, tolerate=0, **kwargs):
    """A runner of one epoch over the samples, guarded and recorded."""
    settings = dict(
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        train_dataloader=loader(dataset),
        train_cfg=dict(by_epoch=True, max_epochs=1),
    )
    settings.update(kwargs)
    runner = Runner(
        model=model or Fit(),
        work_dir=str(tmp_path),
        default_hooks=dict(
            checkpoint=None,
            loss_guard=dict(type='mcjepa_mm.LossGuardHook', tolerate=tolerate),
        ),
        experiment_name=f'{tmp_path}_{next(NUMBERS)}',
        log_level='WARNING',
        **settings,
    )
    runner.recorder = Recorder()
    runner.register_hook(runner.recorder, priority='LOWEST')
    return runner


@pytest.mark.parametrize('task', ['content', 'motion'])
def test_the_run_stops_before_the_step(tmp_path, task):
    runner = build(tmp_path, Samples(bad=of_steps(3), task=task))
    with pytest.raises(FloatingPointError) as error:
        runner.train()
    words = str(error.value)
    assert 'iteration 4 ' in words
    assert f'Rank 0: {task}.loss is nan.' in words
    assert f'Samples of {task} on rank 0: /{task}/6.png (sample_idx 6), ' in (
        words
    )
    assert f'/{task}/7.png (sample_idx 7).' in words
    # The other task's samples are not suspected.
    assert len(re.findall(r'\.png', words)) == 2
    weight = runner.model.layer.weight
    assert torch.equal(weight, runner.recorder.after[2][0]['layer.weight'])


def test_a_bad_figure_that_is_no_loss_does_not_stop(tmp_path):
    model = Fit(extra=dict(accuracy=math.nan))
    build(tmp_path, Samples(), model).train()


def test_a_sum_that_overflows_is_named(tmp_path):
    big = dict(a_loss=3e38, b_loss=3e38)
    with pytest.raises(FloatingPointError, match='Rank 0: loss is inf'):
        build(tmp_path, Samples(), Fit(extra=big)).train()


OPTIMIZERS = {
    'AdamW': dict(type='AdamW', lr=0.1, weight_decay=0.1),
    'AdamW fused': dict(type='AdamW', lr=0.1, weight_decay=0.1, fused=True),
    'SGD': dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.1),
    'LARS': dict(type='mmpretrain.LARS', lr=0.1, momentum=0.9),
    'Lamb': dict(type='mmpretrain.Lamb', lr=0.1),
    'scaled': dict(type='AdamW', lr=0.1),
}


@pytest.mark.parametrize('optimizer', OPTIMIZERS)
@pytest.mark.parametrize('clip', [False, True])
def test_a_tolerated_step_changes_nothing(tmp_path, optimizer, clip):
    wrapper = dict(optimizer=OPTIMIZERS[optimizer])
    if clip:
        wrapper['clip_grad'] = dict(max_norm=1.0)
    if optimizer == 'scaled':
        wrapper |= dict(
            type='mcjepa_mm.MixedPrecisionOptimWrapper', dtype='float16'
        )
        wrapper['loss_scale'] = dict(init_scale=256.0)
    if 'mmpretrain' in wrapper['optimizer']['type']:
        import mmpretrain.engine.optimizers  # noqa: F401
    faults, runs = of_steps(0, 3), []
    for samples in (dict(bad=faults), dict(left_out=faults)):
        runner = build(
            tmp_path,
            Samples(**samples),
            tolerate=1,
            optim_wrapper=copy.deepcopy(wrapper),
        )
        runner.train()
        runs.append(runner)
    record = runs[0].recorder
    for step in range(STEPS):
        unchanged = same(record.before[step], record.after[step])
        assert unchanged == (step in (0, 3)), step
    if clip:
        norms = runs[0].message_hub.get_scalar('train/grad_norm').data[0]
        assert len(norms) == STEPS - 2 and all(map(math.isfinite, norms))
    if optimizer == 'scaled':
        assert runs[0].optim_wrapper.loss_scaler.get_scale() == 256
    # As if the bad batches had never been there.
    assert same(record.after[-1], runs[1].recorder.after[-1])
    count = runs[0].message_hub.get_scalar('train/tolerated_steps')
    assert count.current() == 2
    assert count.data[0].tolist() == [1, 1, 1, 2, 2, 2]


def test_the_loss_is_named_before_clipping_complains(tmp_path):
    wrapper = dict(
        optimizer=dict(type='SGD', lr=0.1),
        clip_grad=dict(max_norm=1.0, error_if_nonfinite=True),
    )
    runner = build(tmp_path, Samples(bad=of_steps(1)), optim_wrapper=wrapper)
    with pytest.raises(FloatingPointError, match='motion.loss is nan'):
        runner.train()
    # the guard belongs to the run, not to the model
    build(tmp_path, Samples(), model := Fit()).train()
    assert model.loss_guard is None


def test_more_in_a_row_than_tolerated_stop_the_run(tmp_path):
    build(tmp_path, Samples(bad=of_steps(0, 1, 3, 4)), tolerate=2).train()
    runner = build(tmp_path, Samples(bad=of_steps(0, 2, 3, 4)), tolerate=2)
    with pytest.raises(FloatingPointError) as error:
        runner.train()
    assert 'iteration 5 ' in str(error.value)
    assert '3 steps in a row were at fault, 2 are tolerated' in str(
        error.value
    )


def test_the_count_goes_on_where_a_run_was_resumed(tmp_path):
    runner = build(tmp_path, Samples(bad=of_steps(0)), tolerate=2)
    runner.message_hub.update_info('loss_guard', dict(total=7, in_row=2))
    with pytest.raises(FloatingPointError, match='3 steps in a row'):
        runner.train()


@pytest.mark.parametrize('bad', [2, 3])
def test_accumulated_passes_are_each_checked(tmp_path, bad):
    wrapper = dict(optimizer=dict(type='AdamW', lr=0.1), accumulative_counts=2)
    samples = Samples(bad=of_steps(bad))
    runner = build(tmp_path, samples, optim_wrapper=dict(wrapper))
    with pytest.raises(FloatingPointError, match=f'iteration {bad + 1} '):
        runner.train()
    weight = runner.model.layer.weight
    assert torch.equal(weight, runner.recorder.after[1][0]['layer.weight'])
    # It stops before the log has it.
    logged = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(logged) == bad
    runner = build(tmp_path, samples, tolerate=1, optim_wrapper=dict(wrapper))
    runner.train()
    # Optimiser steps end iterations 2, 4 and 6; the second is left out.
    states = [[x[0]['layer.weight'], x[1]] for x in runner.recorder.after]
    assert same(states[1], states[2]) and same(states[1], states[3])
    assert not same(states[4], states[5])
    assert not same(states[0], states[1])
    for state in states:
        assert state[0].isfinite().all()
    # Nor do the statistics know of the other pass of the second step.
    buffers = [x[0]['norm.running_mean'] for x in runner.recorder.after]
    assert torch.equal(buffers[1], buffers[3])
    assert not torch.equal(buffers[3], buffers[4])


def test_overflowing_gradients_are_no_fault_but_the_loss_is(tmp_path):
    def wrapper(scale):
        return dict(
            type='mcjepa_mm.MixedPrecisionOptimWrapper',
            dtype='float16',
            loss_scale=dict(init_scale=scale),
            optimizer=dict(type='SGD', lr=0.1),
        )

    runner = build(tmp_path, Samples(), optim_wrapper=wrapper(2.0**17))
    runner.train()
    record = runner.recorder
    weights = [x[0]['layer.weight'] for x in (record.before[0], *record.after)]
    # The scale is halved until a step is taken.
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[-1])
    runner = build(
        tmp_path, Samples(bad=of_steps(4)), optim_wrapper=wrapper(1.0)
    )
    with pytest.raises(FloatingPointError, match='iteration 5 '):
        runner.train()


def test_the_log_costs_one_read_a_step(tmp_path, monkeypatch):
    """Whatever is read one by one must be of the one copy on the host."""
    runner = build(tmp_path, Samples())
    tables, reads, foreign = set(), [], []
    tolist, item = torch.Tensor.tolist, torch.Tensor.item

    def counted_tolist(self):
        reads.append(runner.iter)
        tables.add(self.untyped_storage().data_ptr())
        return tolist(self)

    def watched_item(self):
        if self.untyped_storage().data_ptr() not in tables:
            foreign.append(sys._getframe(1).f_code.co_filename)
        return item(self)

    class Watch(Hook):
        """Only the step and what reads its log."""

        priority = 'HIGHEST'

        def before_train_iter(self, runner, **kwargs):
            monkeypatch.setattr(torch.Tensor, 'tolist', counted_tolist)
            for name in ('item', '__float__', '__bool__'):
                monkeypatch.setattr(torch.Tensor, name, watched_item)

    class Stop(Hook):
        def after_train_iter(self, runner, **kwargs):
            monkeypatch.undo()

    runner.register_hook(Watch())
    runner.register_hook(Stop(), priority='VERY_LOW')
    runner.train()
    assert reads == list(range(STEPS))
    assert not foreign
    value = runner.message_hub.get_scalar('train/motion.loss').current()
    assert math.isfinite(value)


def test_samples_are_called_by_files_and_numbers():
    infos = [
        dict(img_path='a.png', sample_idx=4, ori_shape=(2, 2)),
        dict(img_path=['v.mp4', 'v.mp4'], frame_indices=[3, 5]),
        dict((f'img{i}_path', f'{i}.png') for i in range(1, 4)),
        dict(sample_idx=9),
        dict(ori_shape=(2, 2)),
    ]
    samples = [BaseDataElement(metainfo=info) for info in infos]
    batch = dict(inputs=torch.zeros(5, 3), data_samples=samples)
    words = (
        'a.png (sample_idx 4), v.mp4 (frame_indices [3, 5]), '
        '1.png and 2.png and 3.png, sample_idx 9, sample 4'
    )
    listed = [dict(data_samples=x) for x in samples]
    for one in (batch, listed):
        assert sample_names(one) == {'the batch': words}
    views = dict(inputs=torch.zeros(3, 2))
    assert sample_names(dict(motion=batch, content=views), limit=2) == dict(
        motion='a.png (sample_idx 4), v.mp4 (frame_indices [3, 5]), and 3 '
        'more',
        content='sample 0, sample 1, and 1 more',
    )


def test_what_it_cannot_guard_is_refused(tmp_path):
    with pytest.raises(ValueError, match='0 or more, got -1'):
        LossGuardHook(tolerate=-1)
    model = Fit()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    several = OptimWrapperDict(one=OptimWrapper(optimizer))
    runner = build(tmp_path, Samples(), model, optim_wrapper=several)
    with pytest.raises(TypeError, match='OptimWrapperDict'):
        runner.train()


def share(rank, folder):
    wrapper = dict(type='mcjepa_mm.GuardedDataParallel', device_ids=None)
    result = {}
    for tolerate in (0, 1):
        runner = build(
            folder / f'{rank}_{tolerate}',
            # Every second sample is the second process's.
            Samples(bad=[BAD], length=2 * STEPS * BATCH),
            tolerate=tolerate,
            launcher='pytorch',
            cfg=dict(model_wrapper_cfg=wrapper),
        )
        try:
            runner.train()
        except FloatingPointError as error:
            result['error'] = str(error)
        hub = runner.message_hub
        result[f'loss {tolerate}'] = (
            hub.get_scalar('train/loss').data[0].tolist()
        )
        result[f'weight {tolerate}'] = runner.model.module.layer.weight
    result['count'] = hub.get_scalar('train/tolerated_steps').current()
    return result


@pytest.mark.slow
def test_one_bad_process_stops_both_and_is_named(two_processes, tmp_path):
    one, two = two_processes(__file__, tmp_path)
    assert one['error'] == two['error']
    assert 'iteration 4 ' in one['error']
    assert 'Rank 1: motion.loss is nan.' in one['error']
    assert 'Rank 0' not in one['error']
    assert f'on rank 1: /motion/{BAD}.png' in one['error']
    assert len(one['loss 0']) == 3  # three good steps
    assert one['count'] == two['count'] == 1
    for key in ('loss 0', 'loss 1', 'weight 0', 'weight 1'):
        values, others = torch.as_tensor(one[key]), torch.as_tensor(two[key])
        assert torch.equal(values.nan_to_num(7), others.nan_to_num(7))
    # The logged value is the mean over the processes.
    expected = []
    for rank in range(2):
        samples = Samples()
        batch = [samples[rank], samples[rank + 2]]
        losses = Fit().train()(
            **{
                task: dict(inputs=[x[task]['inputs'] for x in batch])
                for task in ('content', 'motion')
            },
            mode='loss',
        )
        expected.append(sum(losses.values()).item())
    assert expected[0] != pytest.approx(expected[1])
    assert one['loss 0'][0] == pytest.approx(sum(expected) / 2)
