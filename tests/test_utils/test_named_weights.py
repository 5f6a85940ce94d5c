"""Weights of the package: their names, and the files that come with it."""

import hashlib
import json

import pytest
import torch

from mcjepa_mm.utils import named_weights
from mcjepa_mm.utils.named_weights import find_weights, full_name

MICRO = 'mcjepa-convnext-micro'


def test_names(monkeypatch, tmp_path):
    monkeypatch.setattr(named_weights, 'FOLDER', tmp_path / 'weights')
    with pytest.raises(FileNotFoundError, match="'tiny'.*none"):
        find_weights('tiny')
    (tmp_path / 'weights').mkdir()
    path = tmp_path / 'weights' / 'a-b-tiny-0123abcd.pth'
    path.write_bytes(b'')
    for name in ('tiny', 'a-b-tiny', 'mcjepa://tiny', 'mcjepa://a-b-tiny'):
        assert find_weights(name) == path
        assert full_name(name) == 'a-b-tiny'
    for name in ('b-tiny', 'a-b-tiny-0123abcd', '', 'micro', 1, None):
        assert full_name(name) is None
    with pytest.raises(FileNotFoundError, match=r"'tin'.*tiny \(a-b-tiny\)"):
        find_weights('tin')


def test_a_file_comes_before_a_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert find_weights('micro') != tmp_path / 'micro'
    (tmp_path / 'micro').write_bytes(b'')
    assert find_weights('micro').samefile(tmp_path / 'micro')
    assert full_name('micro') is None


def test_the_weights_are_small_and_safe_and_have_a_card():
    path = find_weights('micro')
    content = path.read_bytes()
    assert len(content) <= 6e6
    loaded = torch.load(path, weights_only=True)
    assert loaded.keys() == {'state_dict', 'meta'}
    for key, value in loaded['state_dict'].items():
        assert key.startswith(('backbone.', 'heads.motion.decoder.'))
        assert value.dtype == torch.float16
    card = json.loads(path.with_suffix('.json').read_text())
    assert card['sha256'] == hashlib.sha256(content).hexdigest()
    assert path.stem == f'{MICRO}-{card["sha256"][:8]}'
    told = {'command', 'commit', 'cpu_hours', 'data', 'license', 'figures'}
    assert told | {'seed', 'epoch', 'iter', 'parameters'} <= card.keys()
    # each name once
    files = sorted(path.parent.iterdir())
    assert files == [path.with_suffix('.json'), path]
