"""Two processes and their workers that are asked to stop, or killed."""

import os
import re
import signal
from argparse import Namespace
from subprocess import TimeoutExpired

import pytest
import torch
from loss_record import assert_equal_state, newest, read_losses

from .kill_and_resume import Nodes, finish, kill, start

JOB = Namespace(nodes=2, processes=2, kills=1, strategy='combined')
LENGTH = ('train_cfg.max_epochs=4', 'param_scheduler.total_steps=20')
pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def go():
    """Function of a folder: start the job there, or go on with it."""

    return lambda folder: start(folder, JOB, *LENGTH)


@pytest.fixture(scope='module')
def whole(tmp_path_factory, go):
    """The folder of a job that was not stopped."""
    folder = tmp_path_factory.mktemp('whole')
    finish(go(folder), folder)
    return folder


def wait_for_steps(job, record, count):
    while not record.exists() or len(read_losses(record)) < count:
        try:
            job.wait(0.01)
        except TimeoutExpired:
            continue
        pytest.fail('the job has ended before it was asked to')


@pytest.mark.parametrize(
    'send, number',
    [
        # to torchrun, and as Ctrl-C to all, dataloader workers too
        (os.kill, signal.SIGTERM),
        (os.killpg, signal.SIGINT),
    ],
    ids=['torchrun', 'terminal'],
)
def test_they_stop_after_the_same_step(tmp_path, go, whole, send, number):
    record, log = tmp_path / 'losses.jsonl', tmp_path / 'log'
    job = go(tmp_path)
    wait_for_steps(job, record, 6)
    send(job.pid, number)
    assert job.wait(120) != 0
    said = log.read_text()
    # torchrun says in a traceback of its own that it was asked to end
    assert not re.search('File ".*(mcjepa_mm|mmengine|tools)/', said), said
    assert 'DataLoader worker' not in said
    assert said.count(f'Stopped by {number.name} after') == 1
    path = tmp_path / 'work' / 'interrupted.pth'
    at = torch.load(path, weights_only=True)['meta']['iter']
    assert read_losses(record).keys() == {
        (rank, step) for rank in range(2) for step in range(at)
    }
    assert (tmp_path / 'work' / 'last_checkpoint').read_text() == str(path)
    finish(go(tmp_path), tmp_path)
    assert read_losses(record) == read_losses(whole / 'losses.jsonl')
    assert_equal_state(newest(whole / 'work'), newest(tmp_path / 'work'))
    assert not path.exists()


def test_a_node_that_was_killed_comes_back(tmp_path, whole):
    record = tmp_path / 'losses.jsonl'
    job = Nodes(tmp_path, JOB, *LENGTH)
    wait_for_steps(job, record, 6)
    kill(job.nodes[1].pid)
    finish(job, tmp_path)
    assert job.again
    expected = read_losses(whole / 'losses.jsonl')
    made = read_losses(record)
    assert made.keys() == expected.keys()
    for step, losses in made.items():
        assert losses == expected[step] * len(losses)
    assert_equal_state(newest(whole / 'work'), newest(tmp_path / 'work'))
