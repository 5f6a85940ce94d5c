import enum
import json
import logging
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub

from mcjepa_mm.compat import plain_checkpoints, to_plain

# A project that knows of this package by one line in its config, if at all.
PROJECT = """
import json, sys
sys.modules['torchvision'] = None  # another break, not needed here
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner


@DATASETS.register_module()
class Numbers(BaseDataset):
    METAINFO = dict(palette=np.eye(3), reader=object())

    def load_data_list(self):
        return [dict(x=float(i)) for i in range(4)]

    def prepare_data(self, index):
        return dict(inputs=torch.tensor([index, 1.0]))


@MODELS.register_module()
class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(2, 1)

    def forward(self, inputs, mode='loss'):
        return dict(loss=self.line(torch.stack(inputs)).square().mean())


def run(epochs, resume):
    cfg = Config.fromfile(sys.argv[1])
    cfg.merge_from_dict({'train_cfg.max_epochs': epochs, 'resume': resume})
    cfg.experiment_name = f'run{epochs}'
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


first = run(1, False)
path = f'{first.work_dir}/epoch_1.pth'
history = first.message_hub.get_scalar('train/loss').data[0].tolist()
second = run(2, True)
resumed = second.message_hub.get_scalar('train/loss').data[0].tolist()
meta = torch.load(path)['meta']['dataset_meta']
print(json.dumps(dict(
    iter=second.iter,
    history=history,
    resumed=resumed,
    schedulers=[s.last_step for s in second.param_schedulers],
    palette=meta['palette'].tolist(),
    reader='reader' in meta,
)))
"""

CONFIG = """
model = dict(type='Line')
train_dataloader = dict(
    batch_size=2,
    dataset=dict(type='Numbers'),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
train_cfg = dict(by_epoch=True, max_epochs=1)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=0.1, end=9, by_epoch=False),
    dict(type='MultiStepLR', milestones=[1], end=9),
]
default_hooks = dict(logger=dict(type='LoggerHook', interval=1))
"""


@pytest.fixture
def project(tmp_path, run):
    script = tmp_path / 'project.py'
    script.write_text(PROJECT)

    def start(imports: list):
        config = tmp_path / 'config.py'
        config.write_text(
            f'{CONFIG}\ncustom_imports = dict(imports={imports})\n'
            f'work_dir = {str(tmp_path / "work")!r}\n'
        )
        return run('python', script, config, cwd=tmp_path)

    return start


@pytest.mark.slow
def test_a_runner_resumes_its_checkpoint_with_the_mend(project):
    done = project(['mcjepa_mm'])
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen['iter'] == 4
    assert seen['schedulers'] == [4, 2]
    assert len(seen['history']) == 2
    assert len(seen['resumed']) == 4
    assert seen['resumed'][:2] == seen['history']
    assert seen['palette'] == np.eye(3).tolist()
    assert not seen['reader']
    warned = 'meta.dataset_meta.reader is a object'
    assert (done.stdout + done.stderr).count(warned) >= 1


@pytest.mark.slow
def test_a_runner_cannot_resume_its_checkpoint_without_the_mend(project):
    if not plain_checkpoints.needed():
        pytest.skip("this mmengine's checkpoints are plain")
    done = project([])
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
