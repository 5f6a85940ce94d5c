"""A stranger's checkpoint at every door: refused by name, and not run."""

import os
import re
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
    FlowInferencer,
    Segmentor,
    VOSInferencer,
    draw_feature_maps,
)
from mcjepa_mm.engine.launch import build_runner
from mcjepa_mm.exports import convert_keys, plain_checkpoint, publish
from mcjepa_mm.models import MCJEPAConvNeXt
from mcjepa_mm.swap.new_backbone import NewBackbone
from mcjepa_mm.utils.checkpoint import read_checkpoint
from mcjepa_mm.utils.image_file import write_image

from .conftest import ARCH, STRANGERS

TOYS = Path(__file__).parents[1] / 'toys'
URL = 'https://stranger.example/files/'
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
    dump({'stranger': str(path)}, home / 'open_mmlab.json')
    load_checkpoint(torch.nn.Linear(1, 1), 'open-mmlab://stranger')


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


def swap(path):
    NewBackbone.from_checkpoint(path)


def publishing(path):
    publish(path, path.parent / 'published')


def converting(path):
    convert_keys(path, path.parent / 'timm.pth', to='timm')


def classifier(path):
    from mmpretrain import get_model

    get_model('mcjepa_convnext-micro', pretrained=str(path))


DOORS = [
    read,
    mmengine,
    address,
    model_zoo,
    pretrained,
    load_from,
    resume,
    run_test,
    flow,
    objects,
    feature_maps,
    swap,
    publishing,
    converting,
    pytest.param(segmentation, marks=pytest.mark.slow),
    pytest.param(classifier, marks=pytest.mark.slow),
]


@pytest.fixture(autouse=True)
def no_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path / 'zoo'))


def refused(door, path):
    with pytest.raises(ValueError) as raised:
        door(path)
    message = str(raised.value)
    assert path.name in message and '\n' not in message
    # torch tells how to run it
    assert not re.search('code execution|safe_globals|`?False', message)
    left = {'ran', 'a.png', 'work', 'torch', 'zoo', path.name}
    assert {x.name for x in path.parent.iterdir()} <= left


@pytest.mark.parametrize('door', DOORS)
def test_every_door(door, stranger):
    refused(door, stranger('exec'))


@pytest.mark.parametrize('door', [read, mmengine, address, model_zoo])
@pytest.mark.parametrize('name', STRANGERS)
def test_every_file(door, name, stranger):
    refused(door, stranger(name))


@pytest.mark.slow
@pytest.mark.parametrize('door', DOORS)
@pytest.mark.parametrize('name', STRANGERS)
def test_every_file_at_every_door(door, name, stranger):
    refused(door, stranger(name))


@pytest.mark.parametrize('door', DOORS[:7])
def test_torch_is_told_to_run_files(door, stranger, monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    refused(door, stranger('exec'))


@pytest.mark.parametrize('name', STRANGERS)
def test_the_converter_runs_none(name, stranger, tmp_path):
    """It leaves out what is in the meta, and refuses other files."""
    path = stranger(name)
    try:
        plain_checkpoint(path, tmp_path / 'plain.pth')
    except ValueError as error:
        assert path.name in str(error) and '\n' not in str(error)
        assert not (tmp_path / 'plain.pth').exists()
    else:
        assert name in ('exec', 'eval', 'subprocess', 'named_safetensors')
        read_checkpoint(tmp_path / 'plain.pth')


@pytest.mark.parametrize('name', ['exec', 'system', 'legacy', 'tar'])
def test_the_payload_would_run(name, stranger, mark):
    """Else none of these tests could fail."""
    # after it has run: a tar that torch wrote has a number there
    ends = pytest.raises(TypeError) if name == 'tar' else nullcontext()
    with ends:
        torch.load(stranger(name), weights_only=False)
    assert mark.exists()
    mark.unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    'words',
    [
        ['tools/train.py', 'CONFIG', '--resume', 'FILE'],
        ['tools/test.py', 'CONFIG', 'FILE'],
        ['tools/evaluate.py', 'CONFIG', 'FILE'],
    ],
    ids=lambda words: words[0].partition('/')[2],
)
def test_tools(words, stranger, run, repo, tmp_path):
    path = stranger('exec')
    config = Config(
        training(
            tmp_path / 'work',
            custom_imports=dict(imports=['toy_pretraining']),
            **evaluation('val'),
            **evaluation('test'),
        )
    )
    config.dump(tmp_path / 'toy.py')
    here = dict(CONFIG=str(tmp_path / 'toy.py'), FILE=str(path))
    for name, value in here.items():
        words = [word.replace(name, value) for word in words]
    done = run('python', *words, path=f'{repo}:{TOYS}')
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert f"{path} is refused: it names 'exec'" in last


@pytest.mark.slow
def test_swap_tool(stranger, run, tmp_path):
    path = stranger('exec')
    done = run(
        *('python', 'tools/swap_backbone.py'),
        'mmseg::fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py',
        *('--checkpoint', path, '--out', tmp_path / 'new.py'),
    )
    assert done.returncode == 1, done.stderr
    assert f"{path} is refused: it names 'exec'" in done.stderr
    assert not (tmp_path / 'new.py').exists()
