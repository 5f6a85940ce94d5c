"""The published file: what is in it, its hash, who can load it."""

import hashlib
import json
import sys

import pytest
import torch

from mcjepa_mm.exports import publish
from mcjepa_mm.models.backbones import MCJEPAConvNeXt, read_backbone
from mcjepa_mm.version import __version__


def assert_same(first, second):
    assert list(first) == list(second)
    for key, value in first.items():
        assert value.dtype == second[key].dtype
        assert torch.equal(value, second[key]), key


def test_content(encoder, save, tmp_path):
    model = encoder(layer_scale_init_value=0, norm_cfg=dict(type='BN'))
    path = publish(save(model), f'{tmp_path}/out/')
    assert path.parent == tmp_path / 'out'
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f'toy-{digest[:8]}.pth'
    content = torch.load(path, weights_only=True)
    assert content.keys() == {'state_dict', 'meta'}
    expected = {f'backbone.{k}': v for k, v in model.state_dict().items()}
    assert_same(content['state_dict'], expected)
    assert content['meta'] == dict(
        settings=dict(
            arch=dict(depths=(1, 2, 1, 1), channels=(8, 16, 24, 32)),
            layer_scale_init_value=0.0,
            norm_cfg=dict(type='BN'),
        ),
        mcjepa_mm_version=__version__,
        experiment_name='toy_20260102_030405',
        epoch=3,
        iter=12,
    )
    rebuilt = MCJEPAConvNeXt(**content['meta']['settings'])
    rebuilt.load_state_dict(read_backbone(path).state_dict)


def test_tensors_bring_nothing_along(encoder, save, tmp_path):
    """Neither the memory format of the training nor what they are part of."""
    model = encoder()
    plain = publish(save(model), tmp_path / 'plain')
    model.to(memory_format=torch.channels_last)
    large = torch.zeros(100_000)
    bias = model.stem[0][0].bias
    large[: bias.numel()] = bias.detach()
    bias.data = large[: bias.numel()]
    assert not model.stem[1][0].weight.is_contiguous()
    path = publish(save(model, 'other.pth'), tmp_path / 'other')
    assert path.read_bytes() == plain.read_bytes()
    for value in torch.load(path)['state_dict'].values():
        assert value.is_contiguous()
        assert value.untyped_storage().nbytes() == value.nbytes


def test_torch_hub_checks_the_hash(encoder, save, tmp_path):
    path = publish(save(encoder()), f'{tmp_path}/a-b/')
    hub = torch.hub.load_state_dict_from_url
    content = hub(
        path.as_uri(),
        model_dir=tmp_path / 'cache',
        check_hash=True,
        progress=False,
    )
    assert 'backbone.stem.0.0.weight' in content['state_dict']
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(RuntimeError, match='invalid hash'):
        hub(path.as_uri(), model_dir=tmp_path / 'new', check_hash=True)


def test_safetensors(encoder, save, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import load_file

    model = encoder(in_channels=1)
    path = publish(save(model), tmp_path, safetensors=True)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f'toy-{digest[:8]}.safetensors'
    tensors = load_file(path)
    assert tensors.keys() == model.state_dict().keys()
    trained = read_backbone(path)
    model.load_state_dict(tensors)
    for key, value in tensors.items():
        assert torch.equal(value, trained.state_dict[key])
    with safe_open(path, 'pt') as file:
        meta = file.metadata()
    assert json.loads(meta.pop('settings')) == dict(
        arch=dict(depths=[1, 2, 1, 1], channels=[8, 16, 24, 32]),
        in_channels=1,
    )
    assert trained.settings['in_channels'] == 1
    assert meta == dict(
        format='pt',
        mcjepa_mm_version=__version__,
        experiment_name='toy_20260102_030405',
        epoch='3',
        iter='12',
    )


@pytest.mark.slow
@pytest.mark.parametrize('safetensors', [False, True])
def test_same_input_same_bytes(run, encoder, save, tmp_path, safetensors):
    """In another process, and from its own output."""
    checkpoint = save(encoder())
    path = publish(checkpoint, tmp_path / 'a', safetensors=safetensors)
    done = run(
        'python',
        '-c',
        'from mcjepa_mm.exports import publish\n'
        f'publish({str(checkpoint)!r}, {str(tmp_path / "b" / "a")!r}, '
        f'safetensors={safetensors})',
    )
    assert done.returncode == 0, done.stderr
    [other] = (tmp_path / 'b').iterdir()
    assert other.name == path.name
    assert other.read_bytes() == path.read_bytes()
    if not safetensors:
        again = publish(path, f'{tmp_path}/c/')
        assert again.read_bytes() == path.read_bytes()
        assert again.name == path.name.replace('a-', 'toy-')


def test_the_name_of_a_file_that_tells_no_training(encoder, tmp_path):
    torch.save(encoder().state_dict(), tmp_path / 'v1.5-0123abcd.pth')
    path = publish(tmp_path / 'v1.5-0123abcd.pth')
    assert path.parent == tmp_path
    assert path.name.startswith('v1_5-') and len(path.name) == 17


def test_what_cannot_be_published_leaves_nothing(encoder, save, tmp_path):
    checkpoint = save(encoder())
    out = tmp_path / 'out'
    # torch.hub would take the 5 for the hash
    with pytest.raises(ValueError, match="'v-1.5'"):
        publish(checkpoint, out / 'v-1.5')
    foreign = tmp_path / 'foreign.pth'
    torch.save(dict(state_dict={'conv.weight': torch.ones(1)}), foreign)
    with pytest.raises(ValueError, match='foreign.pth'):
        publish(foreign, f'{out}/')
    content = torch.load(checkpoint)
    del content['state_dict']['backbone.stages.1.0.norm.bias']
    torch.save(content, checkpoint)
    with pytest.raises(ValueError, match='stages.1.0.norm.bias'):
        publish(checkpoint, f'{out}/')
    assert not out.exists()


def test_a_file_that_exists_is_left_as_it_is(encoder, save):
    checkpoint = save(encoder())
    path = publish(checkpoint)
    path.write_text('mine')
    with pytest.raises(FileExistsError, match=path.name):
        publish(checkpoint)
    assert path.read_text() == 'mine'


def test_safetensors_is_optional(encoder, save, tmp_path, monkeypatch):
    checkpoint = save(encoder())
    written = publish(checkpoint, tmp_path / 'a', safetensors=True)
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    publish(checkpoint, tmp_path / 'b')
    with pytest.raises(ImportError, match='safetensors'):
        publish(checkpoint, tmp_path / 'c', safetensors=True)
    with pytest.raises(ImportError, match='safetensors'):
        read_backbone(written)
    assert not list(tmp_path.glob('c*'))
