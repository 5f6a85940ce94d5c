import pytest
import torch
from torch import nn

from mcjepa_mm.apis.model_files import fill_model, find_config


def test_a_config_is_found_by_name(repo, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = repo / 'configs' / 'mcjepa_convnext.py'
    for name in ('mcjepa_convnext', 'mcjepa_convnext.py', path):
        assert path.samefile(find_config(name))
    with pytest.raises(FileNotFoundError, match='nowhere'):
        find_config('nowhere')


def test_a_model_is_filled_whatever_else_there_is(tmp_path):
    model = nn.Linear(2, 1)
    weights = dict(weight=torch.full((1, 2), 3.0), bias=torch.ones(1))
    meta = dict(epoch=4)
    for prefix in ('', 'module.'):
        state = {f'{prefix}{key}': value for key, value in weights.items()}
        state['other.weight'] = torch.zeros(1)
        torch.save(dict(state_dict=state, meta=meta), tmp_path / 'a.pth')
        assert fill_model(model, tmp_path / 'a.pth') == meta
        assert model(torch.tensor([1.0, 2.0])) == 10
    torch.save(weights, tmp_path / 'bare.pth')
    assert fill_model(model, tmp_path / 'bare.pth') == {}


def test_a_model_that_is_not_filled_stays_as_it_was(tmp_path):
    model = nn.Linear(2, 1)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    torch.save(dict(weight=torch.zeros(1, 2)), tmp_path / 'part.pth')
    with pytest.raises(ValueError, match="part.pth.* 1 of its 2 .* 'bias'"):
        fill_model(model, tmp_path / 'part.pth')
    assert all(torch.equal(before[k], v) for k, v in model.named_parameters())
    (tmp_path / 'text.pth').write_text('not a checkpoint\n')
    with pytest.raises(ValueError, match='text.pth'):
        fill_model(model, tmp_path / 'text.pth')
    with pytest.raises(FileNotFoundError, match='none.pth'):
        fill_model(model, tmp_path / 'none.pth')
