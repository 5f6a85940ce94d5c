"""Other lengths of jobs, in the numbers of configs and in a run."""

import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mcjepa_mm.engine.job_length import keep_warm_up, set_job_length
from mcjepa_mm.engine.launch import build_runner, load_config

REPO = Path(__file__).resolve().parents[2]
CONFIGS = REPO / 'configs'
TOYS = REPO / 'tests' / 'toys'
PAPER = 'pretrain/mcjepa_convnext-tiny_8xb48-coslr-100e_in1k-frames.py'


def config(name):
    return Config.fromfile(CONFIGS / name)


def ramps(cfg):
    return [
        (hook.begin, hook.get('length', 0))
        for hook in cfg.custom_hooks
        if hook.type == 'ScheduleHook'
    ]


def test_the_default_job_in_four_steps():
    """8 epochs of 100 steps become one of 4: 1/8 and 1/200."""
    cfg = config('mcjepa_convnext.py')
    set_job_length(cfg, epochs=1, epoch_length=4)
    assert cfg.train_cfg.max_epochs == cfg.train_cfg.val_interval == 1
    assert cfg.train_dataloader.content.num_batch_per_epoch == 4
    assert cfg.param_scheduler.total_steps == 4
    occlusion, coarse = ramps(cfg)
    assert occlusion == (pytest.approx(0.8), pytest.approx(0.2))
    assert coarse == (pytest.approx(0.4), pytest.approx(0.4))
    assert cfg.default_hooks.checkpoint.interval == 1
    assert cfg.default_hooks.logger.interval == 50


def test_the_papers_job_in_an_epoch_of_four():
    """A warm-up of 0.4 iterations becomes one."""
    cfg = config(PAPER)
    set_job_length(cfg, epochs=1, epoch_length=4)
    warm_up, cosine = cfg.param_scheduler
    assert (warm_up.begin, warm_up.end) == (0, 0.25)
    assert (cosine.begin, cosine.end, cosine.T_max) == (0.1, 1, 0.9)
    assert warm_up.convert_to_iter_based and cosine.convert_to_iter_based
    assert cfg.custom_hooks[0].begin.motion == 0


def test_a_longer_job():
    cfg = config('mcjepa_convnext.py')
    set_job_length(cfg, epochs=34)
    assert cfg.param_scheduler.total_steps == 3400


def test_a_one_cycle_that_rises_for_a_single_step():
    """A tenth of 10; the run of such a job is in tests/test_resume."""
    cfg = config('mcjepa_convnext.py')
    cfg.param_scheduler.total_steps = 10
    keep_warm_up(cfg)
    assert 0.1 < cfg.param_scheduler.pct_start < 0.101


def test_iterations():
    name = 'linear_mcjepa-convnext-micro_1xb8-400_embedded-voc.py'
    cfg = config(f'segmentation/{name}')
    set_job_length(cfg, iters=40)
    assert (cfg.train_cfg.max_iters, cfg.train_cfg.val_interval) == (40, 40)
    warm_up, poly = cfg.param_scheduler
    assert (warm_up.end, poly.begin, poly.end) == (2, 2, 40)
    assert cfg.default_hooks.checkpoint.interval == 40


@pytest.mark.parametrize(
    'name, length, said',
    [
        ('mcjepa_convnext.py', dict(epochs=0), 'epochs must be 1 or more'),
        ('mcjepa_convnext.py', dict(iters=4), r'counts epochs \(8\)'),
        (
            'segmentation/linear_mcjepa-convnext-micro_1xb8-400_'
            'embedded-voc.py',
            dict(epochs=4),
            r'counts iterations \(400\)',
        ),
    ],
)
def test_what_does_not_fit(name, length, said):
    with pytest.raises(ValueError, match=said):
        set_job_length(config(name), **length)


def test_iterations_of_unknown_epochs():
    cfg = config(PAPER)
    cfg.param_scheduler[0].by_epoch = False
    with pytest.raises(ValueError, match='LinearLR counts'):
        set_job_length(cfg, epoch_length=4)
    cfg.train_dataloader.content.num_batch_per_epoch = 40
    set_job_length(cfg, epoch_length=4)
    assert cfg.param_scheduler[0].end == 1


def short_job(folder, name):
    return load_config(
        str(TOYS / 'short_pretraining.py'),
        work_dir=str(folder),
        cfg_options=[
            f'custom_hooks.2.path={folder / "losses.jsonl"}',
            f'experiment_name={name}',
        ],
    )


def test_a_job_runs_that_long(tmp_path):
    """Three epochs of five steps become two of three."""
    cfg = short_job(tmp_path, 'shorter')
    set_job_length(cfg, epochs=2, epoch_length=3)
    runner = build_runner(cfg)
    runner.train()
    assert (runner.epoch, runner.iter) == (2, 6)
    assert len(runner.train_dataloader) == 3
    assert runner.param_schedulers[0].total_steps == 6
    assert 'loss_record' in sys.modules


def test_an_epoch_longer_than_the_data(tmp_path):
    cfg = short_job(tmp_path, 'longer')
    set_job_length(cfg, epoch_length=6)
    said = 'num_batch_per_epoch=6 takes 24 samples, the data set has 20'
    with pytest.raises(ValueError, match=said):
        build_runner(cfg).train()


def test_an_epoch_of_a_sampler_that_says_its_length(tmp_path):
    cfg = short_job(tmp_path, 'sampler')
    cfg.train_dataloader.content.sampler = dict(
        type='FixedLengthSampler', length=40
    )
    set_job_length(cfg, epochs=1, epoch_length=6)
    runner = build_runner(cfg)
    runner.train()
    assert (runner.epoch, runner.iter) == (1, 6)
