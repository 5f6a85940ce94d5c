"""What a resumed loop does first."""

import pytest
from loss_record import BrokenOffError
from mmengine.hooks import Hook
from toy_job import At, job
from toy_pretraining import evaluation


class Validations(Hook):
    """Notes the epochs that are validated; dies in that of an epoch."""

    def __init__(self, dying=None):
        self.dying, self.epochs = dying, []

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        if runner.epoch == self.dying:
            raise BrokenOffError
        if batch_idx == 0:
            self.epochs.append(runner.epoch)


def run(folder, *hooks, resume=False):
    every_epoch = dict(by_epoch=True, interval=1)
    settings = evaluation('val')
    runner = job(
        folder,
        resume=resume,
        hooks=hooks,
        checkpoint=every_epoch,
        **settings,
    )
    runner.train()


@pytest.mark.parametrize('dying, again', [(1, [1, 2]), (2, [2])])
def test_a_validation_that_was_broken_off_is_made(tmp_path, dying, again):
    with pytest.raises(BrokenOffError):
        run(tmp_path, Validations(dying))
    seen = Validations()
    run(tmp_path, seen, resume=True)
    assert seen.epochs == again


def test_none_is_made_within_an_epoch(tmp_path):
    def die(runner):
        runner.save_checkpoint(
            str(tmp_path), 'iter_6.pth', meta=dict(epoch=1, iter=6)
        )
        raise BrokenOffError

    seen = Validations()
    with pytest.raises(BrokenOffError):
        run(tmp_path, seen, At(6, die))
    run(tmp_path, seen, resume=True)
    assert seen.epochs == [1, 2]
