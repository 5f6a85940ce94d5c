"""What a run on a CPU gets before it starts."""

import pytest
import torch
from mmengine.config import Config

from mcjepa_mm.engine.launch import build_runner


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
            train_dataloader=loader,
            train_cfg=dict(by_epoch=True, max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            custom_hooks=[
                dict(
                    type='mcjepa_mm.MultiTaskHook',
                    main_task='content',
                    tasks=dict(motion=dict(dataloader=loader)),
                )
            ],
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


def test_the_users_choice_of_threads_holds(tmp_path, monkeypatch, threads):
    monkeypatch.setenv('OMP_NUM_THREADS', '4')
    torch.set_num_threads(4)
    build_runner(config(tmp_path, 2))
    assert torch.get_num_threads() == 4
