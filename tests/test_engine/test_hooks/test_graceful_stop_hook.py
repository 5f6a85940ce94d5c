"""A training that is asked to stop, in one process."""

import multiprocessing
import os
import signal
import subprocess

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

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture(autouse=True)
def handlers():
    """Handlers that nobody else sets; what was before comes back."""
    before = [signal.signal(x, lambda *_: None) for x in SIGNALS]
    yield [signal.getsignal(x) for x in SIGNALS]
    for number, handler in zip(SIGNALS, before):
        signal.signal(number, handler)


def send(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)


def stopped(folder, status, *hooks, **settings):
    """Train until it ends with a status."""
    with pytest.raises(SystemExit) as ended:
        job(folder, stop=True, hooks=hooks, **settings).train()
    assert ended.value.code == status


def check_resumed(folder, at, **settings):
    """Go on after some steps, and come to what an unbroken run comes to."""
    whole = folder.with_name('whole')
    job(whole, stop=True, **settings).train()
    path = folder / 'interrupted.pth'
    assert (folder / 'last_checkpoint').read_text() == str(path)
    assert torch.load(path, weights_only=True)['meta']['iter'] == at
    assert len(read_losses(folder / 'losses.jsonl')) == at
    job(folder, stop=True, resume=True, **settings).train()
    # no step was left out, and none made twice
    assert read_losses(folder / 'losses.jsonl') == read_losses(
        whole / 'losses.jsonl'
    )
    assert_equal_state(newest(whole), newest(folder))
    # where nothing was left to do, it is the last one
    assert path.exists() == (at == 8)


@pytest.mark.parametrize('number', SIGNALS)
def test_it_saves_after_the_step_and_goes_on(tmp_path, number):
    folder = tmp_path / 'stopped'
    stopped(folder, 128 + number, At(4, lambda _: send(number)))
    said = f'Stopped by {number.name} after 5 iterations'
    assert said in log(folder)
    assert log(folder).rstrip().endswith('go on with --resume.')
    check_resumed(folder, at=5)


def test_a_second_signal_ends_it_at_once(tmp_path):
    stopped(tmp_path, 130, At(5, lambda _: send(*SIGNALS)))
    assert len(read_losses(tmp_path / 'losses.jsonl')) == 5
    assert newest(tmp_path)['meta']['iter'] == 4
    assert not (tmp_path / 'interrupted.pth').exists()


def test_a_scheduler_may_ask_twice(tmp_path):
    asking = At(4, lambda _: send(signal.SIGTERM, signal.SIGTERM))
    stopped(tmp_path, 143, asking)
    assert newest(tmp_path)['meta']['iter'] == 5


def test_nobody_reads_what_it_says(tmp_path):
    """As in ``train.py | tee log``, where Ctrl-C ends tee too."""
    reader, writer = os.pipe()
    os.close(reader)
    usual = os.dup(2)
    os.dup2(writer, 2)
    try:
        stopped(tmp_path, 130, At(4, lambda _: send(signal.SIGINT)))
    finally:
        os.dup2(usual, 2)
        os.close(usual)
        os.close(writer)
    assert newest(tmp_path)['meta']['iter'] == 5


def test_a_second_signal_while_it_saves(tmp_path):
    """The one before stays the last, and nothing half-written lies there."""

    def again(runner, _):
        if runner.iter == 4:
            send(signal.SIGINT)

    first = At(4, lambda _: send(signal.SIGTERM))
    stopped(tmp_path, 130, first, OnSave(again))
    assert newest(tmp_path)['meta']['iter'] == 4
    found = {x.name for x in tmp_path.iterdir() if 'pth' in x.name}
    assert found == {'iter_2.pth', 'iter_4.pth'}


def test_the_signals_are_given_back(tmp_path, handlers):
    inside = []
    looking = At(3, lambda _: inside.extend(map(signal.getsignal, SIGNALS)))
    job(tmp_path, stop=True, hooks=(looking,)).train()
    assert not set(inside) & set(handlers)
    assert [signal.getsignal(x) for x in SIGNALS] == handlers


def broken_off(_):
    raise BrokenOffError


def test_the_signals_are_given_back_where_it_is_broken_off(tmp_path, handlers):
    with pytest.raises(BrokenOffError):
        job(tmp_path / 'a', stop=True, hooks=(At(3, broken_off),)).train()
    assert [signal.getsignal(x) for x in SIGNALS] == handlers
    stopped(tmp_path / 'b', 143, At(3, lambda _: send(signal.SIGTERM)))
    assert [signal.getsignal(x) for x in SIGNALS] == handlers


def test_a_training_that_does_not_begin(tmp_path, handlers):
    class Refusing(Hook):
        def before_train(self, runner):
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        job(tmp_path, stop=True, hooks=(Refusing(),)).train()
    assert [signal.getsignal(x) for x in SIGNALS] == handlers


class Validating(Hook):
    """Asks to stop in the first of an epoch's validation steps."""

    def __init__(self):
        self.steps = 0

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        self.steps += 1
        if batch_idx == 0 and runner.epoch == 1:
            send(signal.SIGTERM)


def accumulate(counts):
    optimizer = dict(type='SGD', lr=0.1, momentum=0.9)
    return dict(
        optim_wrapper=dict(optimizer=optimizer, accumulative_counts=counts)
    )


def test_a_validation_is_left(tmp_path):
    folder, asking = tmp_path / 'stopped', Validating()
    stopped(folder, 143, asking, **evaluation('val'))
    assert asking.steps == 1
    check_resumed(folder, at=4, **evaluation('val'))


def test_a_validation_is_not_left_where_gradients_wait(tmp_path):
    folder, asking = tmp_path / 'stopped', Validating()
    settings = dict(**accumulate(3), **evaluation('val'))
    stopped(folder, 143, asking, **settings)
    assert asking.steps == 4
    check_resumed(folder, at=6, **settings)


@pytest.mark.parametrize('asked, at', [(2, 3), (3, 6), (6, 8)])
def test_it_waits_for_the_step_of_the_optimiser(tmp_path, asked, at):
    folder = tmp_path / 'stopped'
    asking = At(asked, lambda _: send(signal.SIGTERM))
    stopped(folder, 143, asking, **accumulate(3))
    check_resumed(folder, at=at, **accumulate(3))


@pytest.mark.slow
def test_validation_workers_do_not_end_by_a_signal_to_all(tmp_path):
    asked = []

    class Asking(Hook):
        def before_val_iter(self, *args, **kwargs):
            for worker in multiprocessing.active_children():
                # by another process, as a scheduler does
                subprocess.run(['kill', '-TERM', str(worker.pid)], check=True)
                asked.append(worker.pid)

    settings = evaluation('val')
    for each in settings['val_dataloader'].values():
        each |= dict(batch_size=1, num_workers=1, persistent_workers=True)
    job(tmp_path, stop=True, hooks=(Asking(),), **settings).train()
    assert len(asked) > 9 and len(set(asked)) == 2


def test_without_a_training_no_signal_is_taken(tmp_path, handlers):
    seen = []

    class Looking(Hook):
        def after_val_iter(self, *args, **kwargs):
            seen.append([signal.getsignal(x) for x in SIGNALS])

    job(tmp_path, stop=True, hooks=(Looking(),), **evaluation('val')).val()
    assert seen and all(x == handlers for x in seen)
