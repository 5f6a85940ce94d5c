import io
import json
from typing import ClassVar

import mmengine.runner
import mmengine.runner.checkpoint as checkpoint_module
import mmengine.runner.runner as runner_module
import numpy as np
import pytest
import torch
from mmengine.fileio import BaseStorageBackend, register_backend
from mmengine.logging import HistoryBuffer, MessageHub

from mcjepa_mm.compat import plain_checkpoints


@pytest.mark.slow
def test_a_runner_resumes_its_checkpoint_with_the_patch(project, tmp_path):
    done = project('mcjepa_mm.compat.all', '1', '2+')
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
    warned = 'meta.dataset_meta.reader is a '
    assert (done.stdout + done.stderr).count(warned) >= 1


@pytest.mark.slow
def test_a_runner_cannot_resume_its_checkpoint_without_the_patch(project):
    if not plain_checkpoints.needed():
        pytest.skip("this mmengine's checkpoints are plain")
    done = project('mcjepa_mm', '1', '2+')
    assert done.returncode != 0
    assert 'weights_only' in done.stderr.lower()


@pytest.fixture(autouse=True)
def patched():
    plain_checkpoints.apply()


def test_a_message_hub_comes_back_whole(tmp_path):
    hub = MessageHub('saved')
    for value in (1, 2.5):
        hub.update_scalar('train/loss', value)
    hub.update_scalar('train/time', 1.0, resumed=False)
    hub.update_info('best', np.float64(0.5))
    path = str(tmp_path / 'hub.pth')
    mmengine.runner.save_checkpoint(dict(message_hub=hub.state_dict()), path)

    state = torch.load(path, weights_only=True)['message_hub']
    new = MessageHub('loaded')
    new.load_state_dict(state)
    assert new.get_scalar('train/loss').data[0].tolist() == [1, 2.5]
    assert 'train/time' not in new.log_scalars
    assert new.get_info('best') == 0.5


def test_a_hub_of_buffers_still_loads():
    state = dict(
        log_scalars={'loss': HistoryBuffer([1.0], [1])},
        runtime_info={},
        resumed_keys={'loss': True},
    )
    hub = MessageHub('old')
    hub.load_state_dict(state)
    assert hub.get_scalar('loss').current() == 1.0


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
