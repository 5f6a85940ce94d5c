"""Checkpoints that mmengine wrote without this package."""

import builtins
import json
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from pickled_call import Call
from torch.utils._pytree import tree_flatten

from mcjepa_mm.exports import plain_checkpoint
from mcjepa_mm.utils import serializable


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
    monkeypatch.setattr(serializable, '_dropped', set())
    monkeypatch.setattr(
        serializable,
        'print_log',
        lambda message, **_: lines.append(message),
    )
    return lines


@pytest.mark.slow
def test_a_run_resumes_an_old_checkpoint_of_its_own(project, run, tmp_path):
    """With the patches and, less the smoothed log values, without."""
    done = project('none', '1')
    assert done.returncode == 0, done.stderr
    [first] = json.loads(done.stdout.splitlines()[-1])['histories']
    old = tmp_path / 'work' / 'epoch_1.pth'
    new = tmp_path / 'new' / 'epoch_1.pth'

    script = 'tools/model_converters/plain_checkpoint.py'
    done = run('python', script, old, new)
    assert done.returncode == 0, done.stderr
    assert str(new) in done.stdout.splitlines()[-1]
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

    for module, length in [('mcjepa_mm.compat.all', 4), ('none', 2)]:
        done = project(module, f'2+{new}')
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout.splitlines()[-1])
        assert (seen['iter'], seen['schedulers']) == (4, [4, 2])
        [history] = seen['histories']
        assert len(history) == length
        assert history[:-2] == first[: length - 2]


def test_what_mmengine_writes(convert, warnings):
    state = OrderedDict(weight=torch.ones(2))
    state._metadata = OrderedDict({'': dict(version=2)})
    palette = np.asfortranarray([[0, 1, 2], [3, 4, 5]], dtype='>i2')
    content = dict(
        state_dict=state,
        optimizer=dict(state={0: dict(step=torch.tensor(3.0))}),
        message_hub=dict(
            log_scalars=OrderedDict(loss=HistoryBuffer([1.0, 2.5], [1, 2], 7)),
            runtime_info=OrderedDict(best=np.float64(0.5), epoch=3),
        ),
        meta=dict(
            palette=palette,
            flag=np.bool_(True),
            counts=Counter('aab'),
            config=ConfigDict(a=1, b=ConfigDict(c=[2])),
            classes=np.array(['sky', 'sea']),
        ),
    )
    got = convert(content)
    assert torch.equal(got['state_dict']['weight'], state['weight'])
    assert got['state_dict']._metadata == state._metadata
    assert got['optimizer'] == content['optimizer']
    assert got['meta'].pop('palette').tolist() == palette.tolist()
    assert got['meta'] == dict(
        flag=True,
        counts=Counter('aab'),
        config=dict(a=1, b=dict(c=[2])),
    )
    [warning] = warnings
    assert 'checkpoint.meta.classes' in warning

    assert got['message_hub']['runtime_info'] == dict(best=0.5, epoch=3)
    packed = got['message_hub']['log_scalars']['loss']
    buffer = serializable.restore_history(packed)
    assert [x.tolist() for x in buffer.data] == [[1.0, 2.5], [1, 2]]
    assert buffer.max_length == 7


def test_what_a_file_names_is_not_run(convert, warnings, tmp_path):
    """Called, set, called with what a call gave, a key, and a function."""
    ran = tmp_path / 'ran'
    writes = Call(builtins.exec, f'open({str(ran)!r}, "w")')
    inner = Call(builtins.getattr, HistoryBuffer, 'mean')
    made = Call(builtins.getattr, inner, Call(builtins.eval, '1/0'))
    got = convert(
        dict(
            state_dict=dict(a=torch.ones(2)),
            meta={'x': [writes], 'a': made, 'b': print, made: 1, 'c': 2},
        )
    )
    assert torch.equal(got['state_dict']['a'], torch.ones(2))
    assert got['meta'] == dict(c=2)
    assert not ran.exists()
    assert len(warnings) == 4
    assert any('checkpoint.meta.x[0]' in x for x in warnings)


def test_what_is_refused(convert, tmp_path):
    old, new = tmp_path / 'old.pth', tmp_path / 'new.pth'
    torch.save(dict(a=torch.ones(1)), old)
    new.write_text('mine')
    with pytest.raises(FileExistsError, match='new.pth'):
        plain_checkpoint(old, new)
    assert new.read_text() == 'mine'
    new.unlink()
    for content in (b'', b'PK\x03\x04 half of an archive', b'words'):
        old.write_bytes(content)
        with pytest.raises(ValueError, match='old.pth'):
            plain_checkpoint(old, new)
    with pytest.raises(ValueError, match='old.pth'):
        convert(dict(a=Call(HistoryBuffer, 1)))
    with pytest.raises(TypeError, match=r'checkpoint\[0\] is a .*object'):
        convert([object()])
    assert not new.exists()
