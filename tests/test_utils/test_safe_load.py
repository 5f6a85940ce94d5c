"""What is said of files that torch refuses, in one line and without advice."""

import collections

import pytest
import torch

from mcjepa_mm.utils.safe_load import explain_load_error, safe_load


def test_plain_files_load_where_they_are_asked_to(tmp_path):
    content = dict(state_dict=dict(a=torch.ones(2)), meta=dict(epoch=1))
    torch.save(content, tmp_path / 'a.pth')
    got = safe_load(tmp_path / 'a.pth')
    assert got['meta'] == content['meta']
    assert torch.equal(got['state_dict']['a'], torch.ones(2))
    got = safe_load(str(tmp_path / 'a.pth'), 'meta')
    assert got['state_dict']['a'].device.type == 'meta'


def nothing(path):
    path.write_bytes(b'')
    return 'EOFError'


def half(path):
    torch.save(dict(a=torch.ones(99)), path)
    path.write_bytes(path.read_bytes()[:300])
    return 'PytorchStreamReader failed'


def words(path):
    path.write_text('not a checkpoint')
    return 'Unsupported operand 110'


def safetensors(path):
    path.write_bytes((8).to_bytes(8, 'little') + b'{"a": 1}')
    return 'its name has to end in .safetensors'


def objects(path):
    torch.save(dict(a=collections.deque([1])), path)
    return "it names 'collections.deque', which is no tensor"


@pytest.mark.parametrize('kind', [nothing, half, words, safetensors, objects])
def test_the_reason(tmp_path, kind):
    path = tmp_path / 'mine.pth'
    reason = kind(path)
    with pytest.raises(ValueError) as raised:
        safe_load(path)
    message = str(raised.value)
    assert message.startswith(f'{path} ') and reason in message
    assert '\n' not in message and 'code execution' not in message
    # nor where a traceback is printed
    assert raised.value.__context__ is None


def test_an_error_of_several_lines_is_its_first():
    error = RuntimeError('first\nsecond')
    expected = 'a.pth cannot be read as a checkpoint: first'
    assert explain_load_error('a.pth', error) == expected
