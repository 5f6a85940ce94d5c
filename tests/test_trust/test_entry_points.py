"""An untrusted checkpoint at every entry point is refused, and not run."""

import os
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import dump
from mmengine.runner import load_checkpoint
from toy_pretraining import evaluation, training

from mcjepa_mm.apis import (
    Embedder,
    FlowInferencer,
    Segmentor,
    VOSInferencer,
    draw_feature_maps,
)
from mcjepa_mm.compat import foreign_checkpoints
from mcjepa_mm.engine.launch import build_runner
from mcjepa_mm.exports import convert_keys, plain_checkpoint, publish
from mcjepa_mm.models import MCJEPAConvNeXt
from mcjepa_mm.swap.new_backbone import NewBackbone
from mcjepa_mm.utils.checkpoint import read_checkpoint
from mcjepa_mm.utils.image_file import write_image

from .conftest import ARCH, UNTRUSTED

TOYS = Path(__file__).parents[1] / 'toys'
URL = 'https://nobody.example/files/'
pytestmark = pytest.mark.filterwarnings('ignore')


def read(path):
    read_checkpoint(path)


def mmengine(path):
    load_checkpoint(torch.nn.Linear(1, 1), str(path))


def address(path):
    """As if torch.hub had downloaded it before, so without a network."""
    cache = Path(torch.hub.get_dir(), 'checkpoints')
    cache.mkdir(parents=True)
    path.rename(cache / path.name)
    load_checkpoint(torch.nn.Linear(1, 1), URL + path.name)


def model_zoo(path):
    """A name of the user's own list that stands for a local file."""
    home = Path(os.environ['MMENGINE_HOME'])
    home.mkdir()
    dump({'mine': str(path)}, home / 'open_mmlab.json')
    load_checkpoint(torch.nn.Linear(1, 1), 'open-mmlab://mine')


def pretrained(path):
    init_cfg = dict(
        type='Pretrained', checkpoint=str(path), prefix='backbone.'
    )
    MCJEPAConvNeXt(ARCH, init_cfg=init_cfg).init_weights()


def load_from(path):
    start(path, load_from=str(path)).train()


def resume(path):
    start(path, load_from=str(path), resume=True).train()


def run_test(path):
    start(path, load_from=str(path), **evaluation('test')).test()


def start(path, **kwargs):
    work_dir = path.parent / 'work'
    return build_runner(Config(training(work_dir, launcher='none', **kwargs)))


def flow(path):
    FlowInferencer(TOYS / 'toy_flow_config.py', path, 'cpu')


def objects(path):
    VOSInferencer(path, device='cpu')


def segmentation(path):
    Segmentor(TOYS / 'toy_segmentation_config.py', path, 'cpu')


def feature_maps(path):
    picture = path.parent / 'a.png'
    write_image(picture, np.zeros((32, 32, 3), np.uint8))
    draw_feature_maps(path, picture, path.parent / 'maps', device='cpu')


def vectors(path):
    Embedder(path, device='cpu')


def swap(path):
    NewBackbone.from_checkpoint(path)


def publishing(path):
    publish(path, path.parent / 'published')


def converting(path):
    convert_keys(path, path.parent / 'timm.pth', to='timm')


MMENGINE = [mmengine, address, model_zoo, pretrained]
ENTRY_POINTS = [
    *MMENGINE,
    read,
    load_from,
    resume,
    run_test,
    flow,
    objects,
    feature_maps,
    vectors,
    swap,
    publishing,
    converting,
    pytest.param(segmentation, marks=pytest.mark.slow),
]


@pytest.fixture(autouse=True)
def patched():
    foreign_checkpoints.apply()


@pytest.fixture(autouse=True)
def no_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path / 'zoo'))


def refused(enter, path):
    with pytest.raises(ValueError) as raised:
        enter(path)
    message = str(raised.value)
    assert path.name in message and '\n' not in message
    # torch tells how to run it
    assert 'weights_only' not in message
    left = {'ran', 'a.png', 'work', 'torch', 'zoo', path.name}
    assert {x.name for x in path.parent.iterdir()} <= left


@pytest.mark.parametrize('enter', ENTRY_POINTS)
def test_every_entry_point(enter, untrusted):
    refused(enter, untrusted('exec'))


@pytest.mark.parametrize('name', UNTRUSTED)
def test_every_file(name, untrusted):
    refused(read, untrusted(name))


@pytest.mark.parametrize('enter', MMENGINE)
def test_torch_is_told_to_run_files(enter, untrusted, monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    refused(enter, untrusted('exec'))


@pytest.mark.parametrize('name', UNTRUSTED)
def test_the_converter_runs_none(name, untrusted, tmp_path):
    """It leaves out what is in the meta, and refuses other files."""
    path = untrusted(name)
    try:
        plain_checkpoint(path, tmp_path / 'plain.pth')
    except ValueError as error:
        assert path.name in str(error) and '\n' not in str(error)
        assert not (tmp_path / 'plain.pth').exists()
    else:
        assert name in ('exec', 'eval', 'subprocess', 'named_safetensors')
        read_checkpoint(tmp_path / 'plain.pth')


@pytest.mark.parametrize('name', ['exec', 'system', 'legacy', 'tar'])
def test_the_payload_would_run(name, untrusted, mark):
    """Else none of these tests could fail."""
    # after it has run: a tar that torch wrote has a number there
    ends = pytest.raises(TypeError) if name == 'tar' else nullcontext()
    with ends:
        torch.load(untrusted(name), weights_only=False)
    assert mark.exists()
    mark.unlink()


@pytest.mark.slow
def test_the_command_says_it_in_a_line(untrusted, run, repo, tmp_path):
    path = untrusted('exec')
    config = Config(
        training(
            tmp_path / 'work',
            custom_imports=dict(imports=['toy_pretraining']),
        )
    )
    config.dump(tmp_path / 'toy.py')
    words = ('tools/train.py', tmp_path / 'toy.py', '--resume', path)
    done = run('python', *words, path=f'{repo}:{TOYS}')
    assert done.returncode == 1
    assert str(path) in done.stderr.splitlines()[-1]
