"""What a run on a CPU gets before it starts."""

import pytest
import torch
from mmengine.config import Config

from mcjepa_mm.engine.launch import build_runner, initialize_model


@pytest.fixture
def threads():
    """Give the number of threads back as it was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def config(tmp_path, workers):
    loader = dict(
        dataset=[0, 1], batch_size=1, num_workers=workers, sampler=None
    )
    return Config(
        dict(
            model=dict(type='torch.nn.Identity'),
            work_dir=str(tmp_path),
            experiment_name=f'{tmp_path.name}{workers}',
            launcher='none',
            train_dataloader=dict(content=loader, motion=dict(loader)),
            train_cfg=dict(type='MultiTaskTrainLoop', max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        )
    )


@pytest.mark.parametrize('workers, left', [(0, 4), (1, 2), (2, 1)])
def test_cores_are_left_to_the_workers(
    tmp_path, monkeypatch, threads, workers, left
):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    torch.set_num_threads(4)
    build_runner(config(tmp_path, workers))
    assert torch.get_num_threads() == left


def test_without_workers_their_other_settings_are_dropped(tmp_path, threads):
    cfg = config(tmp_path, 0)
    more = dict(persistent_workers=True, prefetch_factor=4)
    for loader in cfg.train_dataloader.values():
        loader.update(collate_fn=dict(type='default_collate'), **more)
    runner = build_runner(cfg)
    content, motion = cfg.train_dataloader.values()
    assert len(list(runner.build_dataloader(content))) == 2
    assert not set(more) & {*motion}
    with_workers = config(tmp_path, 1)
    with_workers.train_dataloader.content.update(more)
    build_runner(with_workers)
    assert with_workers.train_dataloader.content.persistent_workers


def test_the_users_choice_of_threads_holds(tmp_path, monkeypatch, threads):
    monkeypatch.setenv('OMP_NUM_THREADS', '4')
    torch.set_num_threads(4)
    build_runner(config(tmp_path, 2))
    assert torch.get_num_threads() == 4


def test_a_runner_that_cannot_resume_is_refused(tmp_path):
    cfg = config(tmp_path, 0)
    cfg.runner_type = 'FlexibleRunner'
    with pytest.raises(ValueError, match='FlexibleRunner.*Leave runner_type'):
        build_runner(cfg)


def test_a_model_without_checkpoint_is_as_its_config_says(tmp_path):
    cfg = config(tmp_path, 0)
    cfg.model = dict(
        type='mcjepa_mm.MCJEPAConvNeXt',
        arch=dict(depths=(1, 1, 1, 1), channels=(4, 4, 4, 4)),
        init_cfg=dict(type='Constant', layer='Conv2d', val=3),
    )
    runner = build_runner(cfg)
    weight = runner.model.stem[0][0].weight
    assert not (weight == 3).all()
    initialize_model(runner)
    assert (weight == 3).all()
    log = next(tmp_path.rglob('*.log')).read_text()
    assert log.count('No checkpoint is given') == 1
