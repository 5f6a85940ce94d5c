"""What is said of files that torch refuses, in one line and without advice."""

import collections

import pytest
import torch

from mcjepa_mm.utils.safe_load import safe_load


def test_plain_files_load_where_they_are_asked_to(tmp_path):
    content = dict(state_dict=dict(a=torch.ones(2)), meta=dict(epoch=1))
    torch.save(content, tmp_path / 'a.pth')
    got = safe_load(tmp_path / 'a.pth')
    assert got['meta'] == content['meta']
    assert torch.equal(got['state_dict']['a'], torch.ones(2))
    got = safe_load(str(tmp_path / 'a.pth'), 'meta')
    assert got['state_dict']['a'].device.type == 'meta'


def half(path):
    torch.save(dict(a=torch.ones(99)), path)
    path.write_bytes(path.read_bytes()[:300])


def objects(path):
    torch.save(dict(a=collections.deque([1])), path)


FILES = dict(
    nothing=lambda path: path.write_bytes(b''),
    half=half,
    words=lambda path: path.write_text('not a checkpoint'),
    objects=objects,
)


@pytest.mark.parametrize('name', FILES)
def test_what_is_refused(tmp_path, name):
    path = tmp_path / 'mine.pth'
    FILES[name](path)
    with pytest.raises(ValueError) as raised:
        safe_load(path)
    message = str(raised.value)
    assert message.startswith(f'{path} ') and '\n' not in message
    # torch tells how to run the file, and nor where a traceback is printed
    assert 'weights_only' not in message
    assert raised.value.__context__ is None
