"""Workers end with the run that started them."""

import multiprocessing
from contextlib import nullcontext

import pytest
from loss_record import BrokenOffError
from mmengine.hooks import Hook
from toy_job import At, job
from toy_pretraining import evaluation, loader


class Workers(Hook):
    """Notes the workers that a run has."""

    def __init__(self):
        self.before = {x.pid for x in multiprocessing.active_children()}
        self.seen = set()

    def left(self):
        running = {x.pid for x in multiprocessing.active_children()}
        return running - self.before

    def after_train_iter(self, *args, **kwargs):
        self.seen |= self.left()

    after_val_iter = after_test_iter = after_train_iter


def with_worker(persistent, *loaders):
    for each in loaders:
        each |= dict(num_workers=1, persistent_workers=persistent)


def broken_off(runner):
    raise BrokenOffError


@pytest.mark.parametrize('broken', [False, True])
@pytest.mark.parametrize('persistent', [True, False])
def test_those_of_a_training(tmp_path, persistent, broken):
    workers, settings = Workers(), evaluation('val')
    train = loader('ToyPairs', length=8)
    tasks = settings['val_dataloader'].values()
    with_worker(persistent, train, *tasks)
    runner = job(
        tmp_path,
        hooks=(workers, *([At(5, broken_off)] * broken)),
        train_dataloader=train,
        **settings,
    )
    with pytest.raises(BrokenOffError) if broken else nullcontext():
        runner.train()
    # of the training, and of the validation of each task
    assert len(workers.seen) >= 3
    assert not workers.left()


@pytest.mark.parametrize('run', ['val', 'test'])
def test_those_of_an_evaluation(tmp_path, run):
    workers, settings = Workers(), evaluation(run)
    with_worker(True, *settings[f'{run}_dataloader'].values())
    runner = job(tmp_path, hooks=(workers,), **settings)
    for _ in range(2):  # it can run again, with others
        getattr(runner, run)()
        assert not workers.left()
    assert len(workers.seen) == 4


@pytest.mark.parametrize('persistent', [True, False])
def test_those_of_mmengines_loops(tmp_path, persistent):
    workers = Workers()
    train, val = (loader('ToyPairs', length=4) for _ in range(2))
    with_worker(persistent, train, val)
    job(
        tmp_path,
        hooks=(workers,),
        train_dataloader=train,
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2),
        val_dataloader=val,
        val_evaluator=dict(type='FlowEPE'),
        val_cfg=dict(),
    ).train()
    assert len(workers.seen) == 2
    assert not workers.left()
