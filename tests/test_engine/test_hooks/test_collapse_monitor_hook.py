"""What the monitor measures, and when it speaks."""

import itertools
import os

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from mcjepa_mm.engine.extra_pass import extra_pass
from mcjepa_mm.engine.hooks import CollapseMonitorHook

NUMBERS = itertools.count()
DIMS = 12


class Numbers(Dataset):
    metainfo = dict(dataset_type='numbers')

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return dict(inputs=torch.tensor(float(index)))


class Told(nn.Module):
    """Gives at each step the embedding that it was told, at each call."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = outputs

    def forward(self, x, step):
        return self.outputs[step]


class Model(BaseModel):
    """An expander that sees two views, and a backbone."""

    def __init__(self, expander, backbone=None, calls=2, autocast=False):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.heads = nn.ModuleDict(
            dict(content=nn.ModuleDict(dict(expander=Told(expander))))
        )
        if backbone is not None:
            self.backbone = Told(backbone)
        self.calls, self.autocast, self.step = calls, autocast, 0

    def forward(self, inputs, mode):
        with torch.autocast('cpu', torch.bfloat16, enabled=self.autocast):
            if hasattr(self, 'backbone'):
                self.backbone(inputs, self.step)
            for _ in range(self.calls):
                self.heads.content.expander(inputs, self.step)
                # a second view, of which nothing should be heard
                self.step += 100
            self.step -= 100 * self.calls
            self.step += 1
        return dict(loss=self.weight)


def spread(rows=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, DIMS, generator=generator) + 0.1


class Views(dict):
    """Embeddings by step; of the views after the first, constants."""

    def __init__(self, steps):
        super().__init__(enumerate(steps))
        self.other = torch.ones(4, DIMS)

    def __missing__(self, step):
        return self.other


def build(tmp_path, model, steps, **kwargs):
    """A runner of one epoch; its log and what the monitor said."""
    hook = dict(
        type='mcjepa_mm.CollapseMonitorHook',
        **{'interval': 1, 'min_samples': 16, **kwargs.pop('hook', {})},
    )
    return Runner(
        model=model,
        work_dir=str(tmp_path),
        train_dataloader=dict(
            batch_size=2,
            num_workers=0,
            dataset=Numbers(2 * steps),
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=None),
        custom_hooks=[hook],
        experiment_name=f'{tmp_path}_{next(NUMBERS)}',
        **kwargs,
    )


def figures(runner, name):
    """The four series of a watched module."""
    return [
        runner.message_hub.get_scalar(f'train/collapse/{name}/{key}')
        .data[0]
        .tolist()
        for key in ('std', 'RankMe', 'correlation', 'constant')
    ]


def expected(z):
    """The same by numpy."""
    z = np.asarray(z, dtype=np.float64)
    p = np.linalg.svd(z - z.mean(axis=0), compute_uv=False)
    p = p / p.sum() + 1e-7  # the last one is 0 if there are few rows
    correlation = np.corrcoef(z.T)[~np.eye(z.shape[1], dtype=bool)]
    return [
        z.std(axis=0, ddof=1).mean(),
        np.exp(-(p * np.log(p)).sum()),
        np.sqrt((correlation**2).mean()),
        (z.mean(axis=0) ** 2).sum() / (z**2).sum(axis=1).mean(),
    ]


def said(tmp_path, word):
    """The lines of the log file with this word."""
    log = max(tmp_path.rglob('*.log'), key=os.path.getmtime)
    return [x for x in log.read_text().splitlines() if word in x]


def test_the_first_view_is_measured_every_interval(tmp_path):
    steps = [spread(seed=i) for i in range(6)]
    model = Model(Views(steps))
    runner = build(tmp_path, model, 6, hook=dict(interval=3))
    runner.train()
    series = figures(runner, 'content')
    for position, step in enumerate((2, 5)):
        assert [x[position] for x in series] == pytest.approx(
            expected(steps[step]), rel=1e-5
        )
    assert [len(x) for x in series] == [2, 2, 2, 2]
    assert not model.heads.content.expander._forward_hooks
    assert not said(tmp_path, 'collapsed')
    # Where there is no such module, there is no such figure.
    assert not any('backbone' in key for key in runner.message_hub.log_scalars)


def test_the_coarsest_map_is_averaged(tmp_path):
    maps = torch.randn(16, DIMS, 2, 3).bfloat16()
    pyramid = (torch.randn(16, 4, 4, 6), maps)
    model = Model(Views([spread()]), [pyramid], autocast=True)
    runner = build(tmp_path, model, 1)
    runner.train()
    embedding = maps.float().numpy().mean(axis=(2, 3))
    series = figures(runner, 'backbone')
    assert [x[0] for x in series] == pytest.approx(
        expected(embedding), rel=1e-5
    )


def test_one_warning_per_episode(tmp_path):
    constant = torch.ones(16, DIMS) + 1e-3 * spread()
    steps = [spread(), constant, constant, spread(), constant, constant]
    build(tmp_path, Model(Views(steps)), len(steps)).train()
    warnings = said(tmp_path, 'collapsed')
    assert len(warnings) == 2
    assert (
        "embedding of 'content' has collapsed at iteration 2:" in (warnings[0])
    )
    assert 'all samples have nearly the same embedding' in warnings[0]
    assert 'collapsed at iteration 5:' in warnings[1]
    again = said(tmp_path, 'spread out again')
    assert len(again) == 1 and 'at iteration 4.' in again[0]


def test_embeddings_that_shrink_or_fill_few_directions(tmp_path):
    small = [spread(), 0.01 * spread()]
    build(tmp_path, Model(Views(small)), 2).train()
    (warning,) = said(tmp_path, 'collapsed')
    assert 'its spread has vanished' in warning
    assert 'nearly the same' not in warning and 'RankMe' not in warning
    line = spread(rows=64)[:, :1] * spread(rows=2)[1]
    model = Model(Views([line + 1e-4 * spread(rows=64)]))
    build(tmp_path / 'line', model, 1, hook=dict(min_rank=0.1)).train()
    (warning,) = said(tmp_path / 'line', 'collapsed')
    assert 'RankMe 1.0 of at most 12' in warning


def test_a_constant_is_said_though_its_rest_is_spread_out(tmp_path):
    # 0.96 of the energy is the constant: no collapse, but nearly one vector
    far = [spread() + 5, spread() + 5, spread(), spread() + 5]
    runner = build(tmp_path, Model(Views(far)), len(far))
    runner.train()
    assert not said(tmp_path, 'collapsed')
    first, second = said(tmp_path, 'nearly one constant vector')
    assert "'content'" in first and 'at iteration 1: 0.96' in first
    assert 'at iteration 4:' in second
    ranks = figures(runner, 'content')[1]
    # centred, the constant takes nothing from the rank
    assert ranks[0] == pytest.approx(ranks[2])


def test_an_extra_pass_is_not_heard(tmp_path):
    model = Model(Views([spread(seed=1), spread(seed=2)]))
    runner = build(tmp_path, model, 1)

    class Extra(Hook):
        priority = 'VERY_LOW'

        def before_train_iter(self, runner, **kwargs):
            with extra_pass(model):
                model(None, 'loss')

    runner.register_hook(Extra())
    runner.train()
    assert model.step == 2
    series = figures(runner, 'content')
    assert [x for (x,) in series] == pytest.approx(
        expected(spread(seed=2)), rel=1e-5
    )


def test_an_all_zero_embedding_is_said(tmp_path):
    runner = build(tmp_path, Model(Views([torch.zeros(16, DIMS)])), 1)
    runner.train()
    assert len(said(tmp_path, 'nearly the same embedding')) == 1
    assert figures(runner, 'content') == [[0], [1], [1], [1]]


def test_a_resumed_run_remembers_the_spread_and_its_warning(tmp_path):
    runner = build(tmp_path, Model(Views([spread()])), 1)
    runner.message_hub.update_info(
        'collapse_monitor', dict(highest=dict(content=50.0), warned=[])
    )
    runner.train()
    assert len(said(tmp_path, 'vanished')) == 1
    state = runner.message_hub.get_info('collapse_monitor')
    assert state == dict(highest=dict(content=50.0), warned=['content'])
    runner = build(tmp_path / 'again', Model(Views([spread()])), 1)
    runner.message_hub.update_info('collapse_monitor', state)
    runner.train()
    assert not said(tmp_path / 'again', 'vanished')


def test_small_batches_are_put_together_and_large_ones_cut(tmp_path):
    steps = [spread(rows=6, seed=i) for i in range(7)]
    # Begun at the fourth step, enough at the sixth; a short interval does not
    # begin anew.
    for interval, first, number in ((4, 3, 1), (1, 0, 2), (2, 1, 1)):
        runner = build(
            tmp_path, Model(Views(steps)), 7, hook=dict(interval=interval)
        )
        runner.train()
        series = figures(runner, 'content')
        assert [len(x) for x in series] == [number] * 4
        assert [x[0] for x in series] == pytest.approx(
            expected(torch.cat(steps[first : first + 3])), rel=1e-5
        )
    runner = build(
        tmp_path, Model(Views([spread(rows=64)])), 1, hook=dict(max_samples=20)
    )
    runner.train()
    series = figures(runner, 'content')
    assert [x for (x,) in series] == pytest.approx(
        expected(spread(rows=64)[:20]), rel=1e-5
    )


def test_a_task_that_is_not_in_the_step_is_waited_for(tmp_path):
    model = Model(Views([spread(seed=i) for i in range(4)]), calls=0)
    runner = build(tmp_path, model, 4, hook=dict(interval=2))

    class Turn(Hook):
        def before_train_iter(self, runner, **kwargs):
            model.calls = int(runner.iter == 2)

    runner.register_hook(Turn())
    runner.train()
    (std,), *_ = figures(runner, 'content')
    assert std == pytest.approx(expected(spread(seed=2))[0], rel=1e-5)


def test_what_is_wrong_is_refused(tmp_path):
    with pytest.raises(ValueError, match='got 0, 32 and 256'):
        CollapseMonitorHook(interval=0)
    with pytest.raises(ValueError, match='got 50, 32 and 8'):
        CollapseMonitorHook(max_samples=8)
    hook = dict(modules=dict(motion='heads.motion.decoder'))
    runner = build(tmp_path, Model(Views([spread()])), 1, hook=hook)
    with pytest.raises(AttributeError, match='no heads.motion.decoder'):
        runner.train()
    model = Model(Views([spread()]), [torch.zeros(16, 3, DIMS)])
    with pytest.raises(ValueError, match="'backbone' gives .16, 3, 12."):
        build(tmp_path, model, 1).train()


def share(rank, folder):
    runner = build(
        folder / str(rank),
        Model(Views([spread(rows=8, seed=rank)] * 2)),
        1,
        launcher='pytorch',
        cfg=dict(
            model_wrapper_cfg=dict(
                type='MMDistributedDataParallel', device_ids=None
            )
        ),
    )
    runner.train()
    return figures(runner, 'content') if rank == 0 else None


@pytest.mark.slow
def test_the_samples_of_all_processes_count(two_processes, tmp_path):
    z = torch.cat([spread(rows=8, seed=rank) for rank in range(2)])
    series = two_processes(__file__, tmp_path)[0]
    assert [x for (x,) in series] == pytest.approx(expected(z), rel=1e-5)
