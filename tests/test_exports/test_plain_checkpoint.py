"""Old checkpoints of mmengine, and what no conversion may run."""

import builtins
import json
import os
import re
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer, MessageHub
from torch.utils._pytree import tree_flatten

from mcjepa_mm.compat import plain_checkpoints
from mcjepa_mm.exports import plain_checkpoint

sys.path.insert(0, str(Path(__file__).parents[1] / 'toys'))
from pickled_call import Call  # noqa: E402


@pytest.fixture
def convert(tmp_path):
    """Save an object as torch does, convert, and load what was written."""

    def convert(content):
        torch.save(content, tmp_path / 'old.pth')
        plain_checkpoint(tmp_path / 'old.pth', tmp_path / 'new.pth')
        return torch.load(tmp_path / 'new.pth', weights_only=True)

    return convert


@pytest.fixture
def warnings(monkeypatch):
    """What was left out, by its name."""
    lines = []
    monkeypatch.setattr(plain_checkpoints, '_dropped', set())
    monkeypatch.setattr(
        plain_checkpoints,
        'print_log',
        lambda message, **_: lines.append(message),
    )
    return lines


@pytest.mark.slow
def test_a_run_resumes_an_old_checkpoint_of_its_own(project, run, tmp_path):
    """With this package and, less the smoothed log values, without."""
    done = project('none', '1')
    assert done.returncode == 0, done.stderr
    [first] = json.loads(done.stdout.splitlines()[-1])['histories']
    old = tmp_path / 'work' / 'epoch_1.pth'
    new = tmp_path / 'new' / 'epoch_1.pth'

    script = 'tools/model_converters/plain_checkpoint.py'
    done = run('python', script, old, new)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f'{new}: loads with weights_only=True\n')
    for left_out in ['schedulers[0].anneal_func', 'dataset_meta.reader']:
        assert f'{left_out} is a ' in done.stdout + done.stderr

    content = torch.load(new, weights_only=True)
    # ours, a moment ago
    trusted = torch.load(old, weights_only=False)
    assert content.keys() == trusted.keys()
    assert (
        content['optimizer']['param_groups']
        == (trusted['optimizer']['param_groups'])
    )
    for kind in ('state_dict', 'optimizer'):
        got, wanted = (tree_flatten(x[kind])[0] for x in (content, trusted))
        torch.testing.assert_close(got, wanted, rtol=0, atol=0)
    palette = content['meta']['dataset_meta'].pop('palette')
    assert palette.tolist() == np.eye(3).tolist()

    for module, length in [('mcjepa_mm', 4), ('none', 2)]:
        done = project(module, f'2+{new}')
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout.splitlines()[-1])
        assert (seen['iter'], seen['schedulers']) == (4, [4, 2])
        [history] = seen['histories']
        assert len(history) == length
        assert history[:-2] == first[: length - 2]


def test_what_mmengine_writes(convert, warnings, tmp_path):
    state = OrderedDict(weight=torch.ones(2))
    state._metadata = OrderedDict({'': dict(version=2)})
    palette = np.asfortranarray([[0, 1, 2], [3, 4, 5]], dtype='>i2')
    buffer = HistoryBuffer([1.0, 2.5, float('nan')], [1, 2, 3], 100)
    content = dict(
        state_dict=state,
        optimizer=dict(state={0: dict(step=torch.tensor(3.0))}),
        message_hub=dict(
            log_scalars=OrderedDict({'train/loss': buffer}),
            runtime_info=OrderedDict(best=np.float64(0.5), epoch=3),
            resumed_keys={'train/loss': True},
        ),
        meta=dict(
            palette=palette,
            flag=np.bool_(True),
            counts=Counter('aab'),
            config=ConfigDict(a=1, b=ConfigDict(c=[2])),
            groups=defaultdict(list, {np.int64(1): (2, 3)}),
            classes=np.array(['sky', 'sea']),
        ),
    )
    got = convert(content)
    assert torch.equal(got['state_dict']['weight'], state['weight'])
    assert got['state_dict']._metadata == state._metadata
    assert got['optimizer'] == content['optimizer']
    meta = got['meta']
    assert meta.pop('palette').tolist() == palette.tolist()
    assert meta == dict(
        flag=True,
        counts=Counter('aab'),
        config=dict(a=1, b=dict(c=[2])),
        groups={1: (2, 3)},
    )
    [warning] = warnings
    assert 'checkpoint.meta.classes is a numpy' in warning

    hub = MessageHub(str(tmp_path))
    hub.load_state_dict(got['message_hub'])
    found = hub.get_scalar('train/loss')
    assert found.max_length == 100
    for values, expected in zip(found.data, buffer.data):
        np.testing.assert_array_equal(values, expected)
    assert hub.get_info('best') == 0.5


@pytest.mark.parametrize(
    'function',
    [builtins.exec, builtins.eval, builtins.getattr, subprocess.run],
)
def test_what_a_file_names_is_not_run(function, convert, warnings, tmp_path):
    ran = tmp_path / 'ran'
    words = {
        builtins.exec: [f'open({str(ran)!r}, "w")'],
        builtins.eval: [f'open({str(ran)!r}, "w")'],
        builtins.getattr: [dict(a=1), 'clear'],
        subprocess.run: [['touch', str(ran)]],
    }[function]
    kept = torch.ones(2)
    got = convert(
        dict(state_dict=dict(a=kept), meta=dict(x=[Call(function, *words)]))
    )
    assert torch.equal(got['state_dict']['a'], kept)
    assert got['meta'] == {}
    assert not ran.exists()
    [warning] = warnings
    assert re.search(r'checkpoint\.meta\.x\[0\] is a \w+\.\w+;', warning)


def test_nor_by_what_it_makes_of_it(convert, warnings):
    """A stand-in that is called, set, and made into a key or a class."""
    inner = Call(builtins.getattr, HistoryBuffer, 'mean')
    made = Call(builtins.getattr, inner, Call(builtins.eval, '1/0'))
    got = convert(dict(meta={'a': made, 'b': print, made: 1, 'c': 2}))
    assert got == dict(meta=dict(c=2))
    assert len(warnings) == 3


def test_what_is_refused(tmp_path):
    old, new = tmp_path / 'old.pth', tmp_path / 'new.pth'
    ran = tmp_path / 'ran'

    def refused(match, error=ValueError):
        with pytest.raises(error, match=match) as raised:
            plain_checkpoint(old, new)
        assert str(old) in str(raised.value) or str(new) in str(raised.value)
        assert not new.exists() and not ran.exists()

    refused('there is no checkpoint', FileNotFoundError)
    torch.save(dict(a=Call(os.system, f'touch {ran}')), old)
    refused(r"names '\w+\.system', which no checkpoint needs")
    torch.save(dict(a=torch.ones(1)), old)
    refused('loads as it is')
    torch.save([HistoryBuffer([1.0], [1])], old)
    refused('expected a dict, got list')
    hollow = Call(HistoryBuffer, 1)
    torch.save(dict(a=hollow), old)
    refused('a mmengine.logging.history_buffer.HistoryBuffer is not as its')
    ring = dict(a=HistoryBuffer([1.0], [1]))
    ring['ring'] = ring
    torch.save(ring, old)
    refused('contains itself')
    module = torch.jit.script(torch.nn.Linear(1, 1))
    torch.jit.save(module, old)
    refused('torchscript')
    old.write_bytes(b'PK\x03\x04 half of an archive')
    refused('cannot be read as a checkpoint')
    torch.save(dict(a=hollow), old, _use_new_zipfile_serialization=False)
    refused('cannot be read as a checkpoint')


def test_a_file_that_exists_is_left_as_it_is(convert, tmp_path):
    (tmp_path / 'new.pth').write_text('mine')
    with pytest.raises(FileExistsError, match='left as it is'):
        convert(dict(a=HistoryBuffer([1.0], [1])))
    assert (tmp_path / 'new.pth').read_text() == 'mine'
