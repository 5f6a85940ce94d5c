"""The published file: what is in it, its hash, who can load it."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mcjepa_mm.apis import FlowInferencer
from mcjepa_mm.exports import export, publish
from mcjepa_mm.exports.flow_graph import read_flow_graph
from mcjepa_mm.models.backbones import MCJEPAConvNeXt, read_backbone
from mcjepa_mm.registry import MODELS
from mcjepa_mm.utils import named_weights
from mcjepa_mm.version import __version__

TOY = Path(__file__).parents[1] / 'toys' / 'toy_flow_config.py'


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


@pytest.fixture
def flow_file(tmp_path):
    """A pretraining's checkpoint of a toy that moves pixels."""
    config = Config.fromfile(TOY)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    for key, value in model.named_parameters():
        if '.predict.' in key:  # flow of a pixel, as after a training
            value.data *= 0.1
    state = {
        **model.state_dict(),
        'heads.content.expander.0.weight': torch.ones(1),
    }
    meta = dict(cfg=config.pretty_text, seed=3, epoch=2)
    content = dict(state_dict=state, meta=meta, optimizer=dict(a=1))
    torch.save(content, tmp_path / 'epoch_2.pth')
    return tmp_path / 'epoch_2.pth'


def test_flow_in_half_precision(flow_file, tmp_path, monkeypatch):
    """By its name, it is the flow of the checkpoint to 1 percent."""
    folder = tmp_path / 'weights'
    path = publish(flow_file, folder / 'mc-toy', flow=True, half=True)
    again = publish(flow_file, tmp_path / 'again', flow=True, half=True)
    assert again.read_bytes() == path.read_bytes()
    content = torch.load(path, weights_only=True)
    expected = read_flow_graph(flow_file).state_dict()
    assert_same(
        content['state_dict'], {k: v.half() for k, v in expected.items()}
    )
    assert content['meta']['cfg'].startswith('model = {')
    rng = np.random.default_rng(0)
    pair = rng.integers(256, size=(2, 64, 96, 3), dtype=np.uint8)
    monkeypatch.setattr(named_weights, 'FOLDER', folder)

    def flow(*weights):
        inferencer = FlowInferencer(*weights, device='cpu')
        (sample,) = inferencer([*pair], show_progress=False)
        return sample.pred_flow_fw.data

    full = flow(TOY, flow_file)
    difference = (flow('toy') - full).abs().max()
    assert 0 < difference < 0.01 * full.abs().max()
    assert torch.equal(flow(TOY, 'toy'), flow('mc-toy'))
    found = export('toy', tmp_path / 'flow.pt2', what='flow', to='torch')
    assert max(found.values()) <= 1e-3
    # an encoder alone has no flow
    publish(flow_file, folder / 'mc-encoder')
    with pytest.raises(ValueError, match='encoder.*no flow'):
        flow('encoder')


def test_a_card_and_files_that_it_replaces(encoder, save, tmp_path):
    folder = tmp_path / 'weights'
    checkpoint = save(encoder(), seed=3)
    other = publish(checkpoint, folder / 'a-other', card={})
    first = publish(checkpoint, folder / 'a', card=dict(data='none'))
    assert json.loads(first.with_suffix('.json').read_text()) == dict(
        data='none',
        file=first.name,
        bytes=first.stat().st_size,
        sha256=hashlib.sha256(first.read_bytes()).hexdigest(),
        parameters=sum(x.numel() for x in encoder().parameters()),
        dtype='torch.float32',
        seed=3,
        settings=json.loads(json.dumps(read_backbone(first).settings)),
        mcjepa_mm_version=__version__,
        experiment_name='toy_20260102_030405',
        epoch=3,
        iter=12,
    )
    with pytest.raises(FileExistsError):
        publish(checkpoint, folder / 'a', card=dict(data='some'))
    words = dict(card=dict(data='some'), replace=True)
    assert publish(checkpoint, folder / 'a', **words) == first
    card = first.with_suffix('.json')
    assert json.loads(card.read_text())['data'] == 'some'
    second = publish(checkpoint, folder / 'a', half=True, **words)
    kept = {
        x.with_suffix(s) for x in (other, second) for s in ('.pth', '.json')
    }
    assert set(folder.iterdir()) == kept


def test_what_float16_cannot_hold(encoder, save, tmp_path):
    model = encoder()
    model.stem[0][0].bias.data[0] = 1e5
    with pytest.raises(ValueError, match=r"'stem.0.0.bias'.*1e\+05"):
        publish(save(model), tmp_path / 'a', half=True)


def test_an_encoder_has_no_flow_to_publish(encoder, save, tmp_path):
    with pytest.raises(ValueError, match='motion head'):
        publish(save(encoder()), tmp_path / 'a', flow=True)
    assert not list(tmp_path.glob('a*'))
