import enum
import io
import json
import logging
from collections import Counter, OrderedDict
from typing import ClassVar

import mmengine.runner
import mmengine.runner.checkpoint as checkpoint_module
import mmengine.runner.runner as runner_module
import numpy as np
import pytest
import torch
from mmengine.fileio import BaseStorageBackend, register_backend
from mmengine.logging import HistoryBuffer, MessageHub

from mcjepa_mm.compat import plain_checkpoints, to_plain


@pytest.mark.slow
def test_a_runner_resumes_its_checkpoint_with_the_mend(project, tmp_path):
    done = project('mcjepa_mm', '1', '2+')
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen['iter'] == 4
    assert seen['schedulers'] == [4, 2]
    history, resumed = seen['histories']
    assert len(history) == 2
    assert len(resumed) == 4
    assert resumed[:2] == history
    content = torch.load(tmp_path / 'work/epoch_1.pth', weights_only=True)
    meta = content['meta']['dataset_meta']
    assert meta['palette'].tolist() == np.eye(3).tolist()
    assert 'reader' not in meta
    warned = 'meta.dataset_meta.reader is a object'
    assert (done.stdout + done.stderr).count(warned) >= 1


@pytest.mark.slow
def test_a_runner_cannot_resume_its_checkpoint_without_the_mend(project):
    if not plain_checkpoints.needed():
        pytest.skip("this mmengine's checkpoints are plain")
    done = project('none', '1', '2+')
    assert done.returncode != 0
    assert 'weights_only' in done.stderr.lower()


def test_a_message_hub_comes_back_whole(tmp_path):
    hub = MessageHub('saved')
    for value in (1, 2.5, float('nan')):
        hub.update_scalar('train/loss', value)
    hub.update_scalar('train/time', 1.0, resumed=False)
    hub.update_info('best', np.float64(0.5))
    hub.update_info('epoch', 3)
    torch.save(hub.state_dict(), tmp_path / 'hub.pth')

    state = torch.load(tmp_path / 'hub.pth', weights_only=True)
    new = MessageHub('loaded')
    new.load_state_dict(state)
    buffer = new.get_scalar('train/loss')
    assert isinstance(buffer, HistoryBuffer)
    for got, saved in zip(buffer.data, hub.get_scalar('train/loss').data):
        np.testing.assert_array_equal(got, saved)
    assert buffer.max_length == hub.get_scalar('train/loss').max_length
    assert buffer.mean(2) is not None
    assert 'train/time' not in new.log_scalars
    assert new.get_info('best') == 0.5
    assert new.get_info('epoch') == 3
    # A hub that was loaded can be saved again.
    assert new.state_dict()['runtime_info'] == state['runtime_info']


def test_a_hub_of_buffers_still_loads():
    state = dict(
        log_scalars={'loss': HistoryBuffer([1.0], [1])},
        runtime_info={},
        resumed_keys={'loss': True},
    )
    hub = MessageHub('old')
    hub.load_state_dict(state)
    assert hub.get_scalar('loss').current() == 1.0


class Color(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    'value, plain',
    [
        (None, None),
        (True, True),
        (np.bool_(True), True),
        (np.float64(0.25), 0.25),
        (np.str_('name'), 'name'),
        (Color.RED, 1),
        ((1, [np.int64(2)]), (1, [2])),
        (OrderedDict(a=np.int8(1)), OrderedDict(a=1)),
        (Counter([3]), Counter([3])),
        ({'keep': 1, 'code': len}, {'keep': 1}),
        ({'a': {np.int64(1): 'x'}}, {'a': {1: 'x'}}),
    ],
)
def test_to_plain(value, plain, tmp_path):
    got = to_plain(value, 'value')
    assert got == plain
    assert type(got) is type(plain)
    torch.save(got, tmp_path / 'value.pth')
    assert torch.load(tmp_path / 'value.pth', weights_only=True) == plain


def test_arrays_become_tensors_of_their_own_memory():
    array = np.arange(3)
    tensor = to_plain([array], 'value')[0]
    array[0] = 9
    assert torch.equal(tensor, torch.arange(3))


def test_what_has_no_plain_form_is_named_once(caplog, monkeypatch):
    monkeypatch.setattr(plain_checkpoints, '_dropped', set())
    value = {'good': 1, 'bad': {'worse': [1, object()]}}
    lines = []
    monkeypatch.setattr(
        plain_checkpoints,
        'print_log',
        lambda message, logger, level: lines.append((message, level)),
    )
    for _ in range(2):
        assert to_plain(value, 'meta') == {'good': 1, 'bad': {}}
    [(message, level)] = lines
    assert 'meta.bad.worse[1] is a object' in message
    assert level == logging.WARNING


def test_a_value_that_no_dict_can_leave_out_raises():
    with pytest.raises(TypeError, match=r'epochs\[0\] is a set'):
        to_plain([{1}], 'epochs')


@pytest.fixture
def checkpoint():
    """What no checkpoint of mmengine's is safe from: objects anywhere."""
    model = torch.nn.BatchNorm2d(2)
    return dict(
        state_dict=model.state_dict(),
        optimizer=dict(
            state={0: dict(step=torch.tensor(1.0), odd=object())},
            param_groups=[dict(lr=np.float64(0.5), rule=max, params=[0])],
        ),
        mine=np.arange(3),
        other=object(),
    )


def assert_plain_content(path, checkpoint):
    content = torch.load(path, weights_only=True)
    state = checkpoint['state_dict']
    assert list(content) == ['state_dict', 'optimizer', 'mine']
    assert content['state_dict'].keys() == state.keys()
    # torch loads by these versions
    assert content['state_dict']._metadata == state._metadata
    assert content['optimizer'] == dict(
        state={0: dict(step=torch.tensor(1.0))},
        param_groups=[dict(lr=0.5, params=[0])],
    )
    assert content['mine'].tolist() == [0, 1, 2]


def test_a_local_file_is_written_whole(checkpoint, tmp_path):
    """Also where mmengine writes what it publishes."""
    assert runner_module.save_checkpoint is mmengine.runner.save_checkpoint
    assert checkpoint_module.save_checkpoint is runner_module.save_checkpoint
    path = tmp_path / 'new' / 'a.pth'
    mmengine.runner.save_checkpoint(checkpoint, str(path))
    assert_plain_content(path, checkpoint)
    before = path.read_bytes()

    class Bad(torch.Tensor):
        def __reduce_ex__(self, protocol):
            raise RuntimeError('in the middle')

    checkpoint['state_dict']['z'] = torch.ones(1).as_subclass(Bad)
    with pytest.raises(RuntimeError, match='in the middle'):
        mmengine.runner.save_checkpoint(checkpoint, str(path))
    assert path.read_bytes() == before
    assert [x.name for x in path.parent.iterdir()] == ['a.pth']

    del checkpoint['state_dict']['z']
    with pytest.raises(IsADirectoryError, match='new could not be written'):
        mmengine.runner.save_checkpoint(checkpoint, str(path.parent))


class Shelf(BaseStorageBackend):
    """A storage that is no local folder."""

    files: ClassVar[dict] = {}

    def put(self, data, path):
        self.files[path] = data

    def get(self, path):
        return self.files[path]

    def get_text(self, path):
        raise NotImplementedError


def test_another_storage_gets_the_same_content(checkpoint, tmp_path):
    register_backend('shelf', Shelf, force=True)
    shelf = dict(backend='shelf')
    mmengine.runner.save_checkpoint(checkpoint, 'b', backend_args=shelf)
    assert_plain_content(io.BytesIO(Shelf.files['b']), checkpoint)
    local = dict(backend='local')
    path = str(tmp_path / 'c')
    mmengine.runner.save_checkpoint(checkpoint, path, backend_args=local)
    assert_plain_content(path, checkpoint)
