"""Where mmengine loads from; what is refused is in tests/test_trust."""

from pathlib import Path

import pytest
import torch
from mmengine.runner import load_checkpoint

from mcjepa_mm.compat import foreign_checkpoints

URL = 'https://nobody.example/x/a-01234567.pth'


@pytest.fixture(autouse=True)
def patched():
    foreign_checkpoints.apply()


@pytest.fixture
def model():
    return torch.nn.Linear(2, 1)


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """The file that torch.hub takes for URL, so without a network."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    path = Path(torch.hub.get_dir(), 'checkpoints', URL.rpartition('/')[2])
    path.parent.mkdir(parents=True)
    return path


def test_files_and_addresses_load(model, cached, monkeypatch):
    state = {'weight': torch.ones(1, 2), 'bias': torch.zeros(1)}
    torch.save(dict(state_dict=state, meta=dict(epoch=3)), cached)
    monkeypatch.setenv('HOME', str(cached.parent))
    for place in (str(cached), f'~/{cached.name}', URL):
        torch.nn.init.zeros_(model.weight)
        content = load_checkpoint(model, place, map_location='cpu')
        assert content['meta'] == dict(epoch=3)
        assert torch.equal(model.weight, state['weight'])
    content = load_checkpoint(model, URL, map_location='meta')
    assert content['state_dict']['weight'].device.type == 'meta'


def test_a_file_that_is_missing(model):
    with pytest.raises(FileNotFoundError, match='none.pth can not be found'):
        load_checkpoint(model, 'none.pth')


def test_an_address_without_an_answer_stays_the_networks_error(
    model, cached, monkeypatch
):
    def unreachable(*args, **kwargs):
        raise OSError('no route')

    monkeypatch.setattr(torch.hub, 'urlopen', unreachable)
    with pytest.raises(OSError, match='^no route$'):
        load_checkpoint(model, URL)


def test_torch_still_needs_it():
    """Else this patch can go."""
    assert foreign_checkpoints.needed()
