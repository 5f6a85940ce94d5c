"""Checkpoints that a stop or a full disk at any moment leaves usable."""

import resource

import pytest
import torch
from loss_record import (
    BrokenOffError,
    assert_equal_state,
    newest,
    read_losses,
)
from mmengine.hooks import Hook
from toy_job import At, OnSave, job, log
from toy_pretraining import evaluation


def checkpoints(folder):
    return sorted(x.name for x in folder.glob('*.pth'))


def watch(folder):
    """What lies there whenever a checkpoint is about to be written."""
    seen = []
    return seen, OnSave(lambda runner, _: seen.append(checkpoints(folder)))


@pytest.mark.parametrize('keep', [1, 2])
def test_the_older_goes_when_the_newer_is_there(tmp_path, keep):
    seen, hook = watch(tmp_path)
    job(tmp_path, hooks=(hook,), checkpoint=dict(max_keep_ckpts=keep)).train()
    names = [f'iter_{i}.pth' for i in (2, 4, 6, 8)]
    assert seen == [names[max(i - keep, 0) : i] for i in range(4)]
    assert checkpoints(tmp_path) == names[-keep:]


def test_a_resumed_run_knows_what_to_remove(tmp_path):
    end = At(5, break_off)
    with pytest.raises(BrokenOffError):
        job(tmp_path, hooks=(end,), checkpoint=dict(max_keep_ckpts=2)).train()
    assert checkpoints(tmp_path) == ['iter_2.pth', 'iter_4.pth']
    job(tmp_path, resume=True, checkpoint=dict(max_keep_ckpts=1)).train()
    assert checkpoints(tmp_path) == ['iter_8.pth']


def break_off(runner):
    raise BrokenOffError


class Scores(Hook):
    """Gives each validation its score."""

    def __init__(self, *scores):
        self.scores = scores

    def after_val_epoch(self, runner, metrics=None):
        metrics['score'] = self.scores[runner.epoch - 1]


BEST = dict(save_best='score', rule='greater', max_keep_ckpts=1)


def scored(folder, *scores, hooks=(), resume=False, **settings):
    """Validated after each of three epochs of four steps."""
    job(
        folder,
        hooks=(Scores(*scores), *hooks),
        resume=resume,
        checkpoint=dict(BEST, **settings.pop('checkpoint', {})),
        train_cfg=dict(type='ResumableTrainLoop', max_epochs=3),
        **evaluation('val'),
        **settings,
    ).train()


def best(folder):
    return [x for x in checkpoints(folder) if x.startswith('best')]


def test_the_older_best_goes_when_the_newer_is_there(tmp_path):
    seen, hook = watch(tmp_path)
    scored(tmp_path, 1.0, 3.0, 2.0, hooks=(hook,))
    assert ['best_score_iter_4.pth', 'iter_8.pth'] in seen
    assert all('best_score_iter_4.pth' in names for names in seen[4:7])
    assert best(tmp_path) == ['best_score_iter_8.pth']
    assert checkpoints(tmp_path)[1:] == ['iter_12.pth']
    content = torch.load(tmp_path / best(tmp_path)[0], weights_only=True)
    assert content['meta']['iter'] == 8 and 'optimizer' not in content


@pytest.mark.parametrize('score, step', [(1.0, 4), (3.0, 8)])
def test_the_best_survives_a_resume(tmp_path, score, step):
    with pytest.raises(BrokenOffError):
        scored(tmp_path, 2.0, 9.0, hooks=(At(5, break_off),))
    scored(tmp_path, 0.0, score, 0.5, resume=True)
    assert best(tmp_path) == [f'best_score_iter_{step}.pth']
    hub = newest(tmp_path)['message_hub']
    assert hub['runtime_info']['best_score'] == max(2.0, score)


def test_a_validation_made_again_may_replace_the_best(tmp_path):
    with pytest.raises(BrokenOffError):
        scored(tmp_path, 1.0, hooks=(At(4, break_off),))
    # that of the first epoch, with a little more
    scored(tmp_path, 1.1, 0.0, 0.0, resume=True)
    assert best(tmp_path) == ['best_score_iter_4.pth']
    hub = newest(tmp_path)['message_hub']
    assert hub['runtime_info']['best_score'] == 1.1


def accumulate(counts):
    optimizer = dict(type='SGD', lr=0.1, momentum=0.9)
    return dict(
        optim_wrapper=dict(optimizer=optimizer, accumulative_counts=counts)
    )


def test_a_checkpoint_waits_for_the_step(tmp_path):
    steps = []
    saving = OnSave(lambda runner, content: steps.append(content['meta']))
    job(
        tmp_path,
        hooks=(saving,),
        checkpoint=dict(interval=2),
        **accumulate(3),
    ).train()
    # at 2, at 4, and because it is the end, where the optimiser steps too
    assert [x['iter'] for x in steps] == [3, 6, 8]
    said = log(tmp_path)
    assert said.count('Saving checkpoint at') == 3
    assert 'lacks the gradients' not in said


def test_a_best_one_does_not_hurry_it(tmp_path):
    broken = tmp_path / 'broken'
    options = dict(checkpoint=dict(interval=3), **accumulate(3))
    scored(tmp_path / 'whole', 1.0, 2.0, 3.0, **options)
    with pytest.raises(BrokenOffError):
        scored(broken, 1.0, hooks=(At(4, break_off),), **options)
    # the best one of the fourth step is no checkpoint to go on from
    assert checkpoints(broken) == ['best_score_iter_4.pth', 'iter_3.pth']
    scored(broken, 1.0, 2.0, 3.0, resume=True, **options)
    assert_equal_state(newest(tmp_path / 'whole'), newest(broken))
    assert best(broken) == ['best_score_iter_12.pth']


@pytest.mark.parametrize('counts', [2, 3])
def test_epochs_that_cannot_be_resumed_exactly_are_said(tmp_path, counts):
    by_epoch = dict(by_epoch=True, interval=1)
    job(tmp_path, checkpoint=by_epoch, **accumulate(counts)).train()
    assert checkpoints(tmp_path) == ['epoch_1.pth', 'epoch_2.pth']
    said = log(tmp_path)
    assert ('lacks the gradients' in said) == (counts == 3)
    if counts == 3:
        assert 'has 4 iterations and the optimiser steps after 3' in said


@pytest.fixture
def small_disk():
    """Function that lets no file grow over some bytes any more."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(
        resource.RLIMIT_FSIZE, (size, limits[1])
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_leaves_the_last_good_one(tmp_path, small_disk):
    job(tmp_path / 'whole').train()
    folder = tmp_path / 'full'

    def fill(runner, content):
        # larger than the limit, which the logs must not reach
        content['pad'] = torch.zeros(2**18)
        if runner.iter == 5:
            small_disk(2**19)

    with pytest.raises(OSError) as error:
        job(
            folder, hooks=(OnSave(fill),), checkpoint=dict(max_keep_ckpts=1)
        ).train()
    assert str(error.value).endswith(
        f'{folder}/iter_6.pth could not be written: File too large. What was '
        'there before is as it was; free space there, or raise the limit.'
    )
    assert not [*folder.rglob('*.part')]
    assert checkpoints(folder) == ['iter_4.pth']
    assert newest(folder)['meta']['iter'] == 4
    small_disk(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    job(folder, resume=True).train()
    assert_equal_state(newest(tmp_path / 'whole'), newest(folder))
    expected = read_losses(tmp_path / 'whole' / 'losses.jsonl')
    record = read_losses(folder / 'losses.jsonl')
    assert [x[0] for x in record.values()] == [x[0] for x in expected.values()]
    assert len(record[0, 5]) == 2 == len(record[0, 4])
