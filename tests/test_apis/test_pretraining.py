"""Pretraining by one call, on folders that hold next to nothing."""

import os
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmpretrain.models import ConvNeXt

import mcjepa_mm
from mcjepa_mm.apis.pretraining import _checkpoint, _start
from mcjepa_mm.apis.pretraining_config import write_pretraining
from mcjepa_mm.engine.launch import build_runner, load_config
from mcjepa_mm.models.backbones import MCJEPAConvNeXt
from mcjepa_mm.registry import HOOKS, MODELS

sys.path.append(str(Path(__file__).parents[1] / 'toys'))
from loss_record import assert_equal_state, newest

CONTENT = [
    'model.backbone.arch.channels=[8,8,16,16]',
    'model.heads.content.expander_channels=[16,16]',
    'train_dataloader.content.batch_size=4',
    'train_dataloader.content.num_workers=0',
    'val_dataloader.content.dataset.length=24',
    'val_dataloader.content.num_workers=0',
    'val_dataloader.propagation.dataset.length=1',
    'val_dataloader.propagation.dataset.num_frames=3',
    'val_dataloader.propagation.num_workers=0',
]
MOTION = [
    'model.heads.motion.decoder.finest=2',
    'model.heads.motion.decoder.hidden=[4]',
    'train_dataloader.motion.batch_size=2',
    'train_dataloader.motion.num_workers=0',
    'val_dataloader.motion.dataset.length=2',
    'val_dataloader.motion.num_workers=0',
]


@HOOKS.register_module()
class StopInTheMiddle(Hook):
    """Be asked to stop in the fourth step, which a trial has not."""

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter == 3:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Five images, and two clips of frames."""
    root = tmp_path_factory.mktemp('data')
    rng = np.random.default_rng(0)
    names = [f'images/{k % 2}/{k}.png' for k in range(5)]
    names += [f'videos/{clip}/{k}.png' for clip in 'ab' for k in range(5)]
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (10, 12, 3), np.uint8)
        assert cv2.imwrite(str(path), cv2.resize(coarse, (96, 80)))
    (root / 'images' / 'damaged.png').write_bytes(b'\x89PNG')
    (root / 'empty').mkdir()
    return root


@pytest.mark.slow
def test_images_and_videos(data, tmp_path, capsys):
    out = tmp_path / 'run'
    arguments = dict(
        images=data / 'images',
        videos=data / 'videos',
        out=out,
        size='micro',
        epochs=1,
        epoch_length=4,
        cfg_options=CONTENT + MOTION,
        device='cpu',
    )
    run = mcjepa_mm.pretrain(**arguments)
    assert run.config == out / 'pretrain.py'
    assert run.checkpoint == out / 'epoch_1.pth'
    assert {'motion/EPE', 'content/kNN', 'propagation/JF_mean'} <= {
        *run.metrics
    }
    assert [x.name for x in run.pictures] == ['pretraining_1.png']
    said = capsys.readouterr().out
    for text in (
        'The training can begin.',
        '| kNN accuracy (%) ',
        f'picture: {run.pictures[0]}',
        f'mim run mcjepa_mm evaluate {run.config} {out}',
        f'mim run mcjepa_mm flow_demo {run.config} {run.checkpoint} '
        f'{data / "videos" / "a"} ',
    ):
        assert text in said
    # by the usual way it is the same training
    cfg = load_config(str(run.config), work_dir=str(tmp_path / 'again'))
    cfg.experiment_name = tmp_path.name
    build_runner(cfg).train()
    assert_equal_state(newest(out), newest(tmp_path / 'again'))
    # it is not trained again
    text, before = run.config.read_text(), newest(out)
    again = mcjepa_mm.pretrain(**arguments)
    assert f'{out} holds this training: it goes on' in capsys.readouterr().out
    assert (again.metrics, again.checkpoint) == (run.metrics, run.checkpoint)
    assert_equal_state(newest(out), before)
    assert run.config.read_text() == text
    with pytest.raises(ValueError, match=r'epochs=1 \(now 3\)'):
        mcjepa_mm.pretrain(**dict(arguments, epochs=3))


@pytest.mark.slow
def test_videos_alone_resume_exactly(data, tmp_path):
    arguments = dict(
        images=None,
        videos=str(data / 'videos'),
        size='micro',
        epochs=1,
        epoch_length=6,
        cfg_options=CONTENT + MOTION,
    )
    for name in ('unbroken', 'broken'):
        path = tmp_path / name / 'pretrain.py'
        write_pretraining(path, small=True, **arguments)
    # what somebody has added to the file counts
    with path.open('a') as file:
        file.write("custom_hooks += [dict(type='StopInTheMiddle')]\n")
    mcjepa_mm.pretrain(out=tmp_path / 'unbroken', **arguments)
    with pytest.raises(SystemExit):
        mcjepa_mm.pretrain(out=tmp_path / 'broken', **arguments)
    assert newest(tmp_path / 'broken')['meta']['iter'] == 4
    run = mcjepa_mm.pretrain(out=tmp_path / 'broken', **arguments)
    assert {'motion/EPE', 'content/kNN'} <= {*run.metrics}
    states = [newest(tmp_path / name) for name in ('unbroken', 'broken')]
    assert states[0]['meta']['iter'] == 6
    assert_equal_state(*states)


@pytest.mark.slow
def test_images_alone(data, tmp_path):
    run = mcjepa_mm.pretrain(
        images=data / 'images',
        out=tmp_path,
        epochs=1,
        epoch_length=4,
        cfg_options=CONTENT,
    )
    assert 'content/kNN' in run.metrics and 'motion/EPE' not in run.metrics
    weights = torch.load(run.checkpoint)['state_dict']
    assert not [name for name in weights if name.startswith('heads.motion')]
    # of the images that can be read
    assert [x.stem for x in run.pictures] == ['0', '2', '4', '1']


def test_weights_by_name_say_the_size(tmp_path):
    """They are named by mmengine's scheme, not by where they lie."""
    init = _checkpoint('micro')
    write_pretraining(
        tmp_path / 'pretrain.py',
        images='/some/images',
        videos=None,
        size=None,
        init=init,
        small=True,
        backbone=_start(init, None, tmp_path),
    )
    cfg = load_config(str(tmp_path / 'pretrain.py'))
    MODELS.build(cfg.model).init_weights()
    assert tuple(cfg.model.backbone.arch.depths) == (1, 1, 2, 1)
    name = cfg.model.backbone.init_cfg.checkpoint
    assert name == 'mcjepa://mcjepa-convnext-micro'


def test_an_encoder_alone_is_a_start(tmp_path):
    """Its weights have no prefix."""
    arch = dict(depths=[1, 1, 1, 1], channels=[8, 8, 16, 16])
    weights = MCJEPAConvNeXt(arch).state_dict()
    torch.save(weights, tmp_path / 'encoder.pth')
    settings = _start(str(tmp_path / 'encoder.pth'), None, tmp_path)
    encoder = MCJEPAConvNeXt(**settings)
    encoder.init_weights()
    torch.testing.assert_close(
        dict(encoder.state_dict()), dict(weights), rtol=0, atol=0
    )


@pytest.mark.slow
def test_from_a_published_convnext(data, tmp_path):
    """Its stages are where the training starts, and its size is the run's."""
    arch = dict(depths=[1, 1, 1, 1], channels=[8, 8, 16, 16])
    published = ConvNeXt(arch, layer_scale_init_value=0.0)
    before = {f'backbone.{k}': v for k, v in published.state_dict().items()}
    torch.save(dict(state_dict=before), tmp_path / 'published.pth')
    words = dict(
        out=tmp_path / 'run',
        init=tmp_path / 'published.pth',
        epochs=1,
        epoch_length=4,
        cfg_options=[*CONTENT[1:], 'param_scheduler.eta_max=1e-6'],
    )
    with pytest.raises(ValueError, match='mmpretrain.*give images'):
        mcjepa_mm.pretrain(videos=data / 'videos', **words)
    run = mcjepa_mm.pretrain(images=data / 'images' / '0', **words)
    after = torch.load(run.checkpoint, weights_only=False)['state_dict']
    name = 'stages.3.0.depthwise_conv.weight'
    torch.testing.assert_close(
        after[f'backbone.{name}'],
        before[f'backbone.{name}'],
        atol=1e-3,
        rtol=0,
    )
    again = mcjepa_mm.pretrain(
        videos=data / 'videos',
        **words
        | dict(
            out=tmp_path / 'again',
            init=run.checkpoint,
            cfg_options=[*words['cfg_options'], *MOTION],
        ),
    )
    last = torch.load(again.checkpoint, weights_only=False)['state_dict']
    assert last[f'backbone.{name}'].shape == (16, 1, 7, 7)


@pytest.mark.parametrize('small', [True, False])
@pytest.mark.parametrize('given', ['images', 'videos', 'images videos'])
def test_the_written_config(given, small, tmp_path):
    """Both folders are where they belong, and nothing else is changed."""
    folders = {x: f"/some'where/{x}" for x in given.split()}
    write_pretraining(
        tmp_path / 'pretrain.py',
        **dict(dict(images=None, videos=None), **folders),
        size='atto',
        small=small,
        epochs=3,
    )
    cfg = load_config(str(tmp_path / 'pretrain.py'))
    assert cfg.work_dir == str(tmp_path)
    assert cfg.model.backbone.arch == 'atto'
    assert cfg.train_cfg.max_epochs == 3

    def roots(part):
        if isinstance(part, dict):
            found = [part['data_root']] if 'data_root' in part else []
            part = list(part.values())
        elif isinstance(part, list):
            found = []
        else:
            return []
        return found + [x for inside in part for x in roots(inside)]

    content = folders.get('images', folders.get('videos'))
    assert roots(cfg.train_dataloader.content) == [content]
    motion = roots([cfg.train_dataloader.motion, cfg.custom_hooks])
    assert {*motion} == {*folders.values()} - {folders.get('images')}
    size = cfg.train_dataloader.content.dataset.dataset
    assert (f"'size': {64 if small else 224}" in str(size)) and (
        f"'size': {224 if small else 64}" not in str(size)
    )
    assert len((tmp_path / 'pretrain.py').read_text().splitlines()) < 60


@pytest.mark.parametrize(
    'changes, error, message',
    [
        (dict(images=None), ValueError, 'no folder was given'),
        (dict(images='nowhere'), FileNotFoundError, 'nowhere'),
        (dict(images='empty'), ValueError, 'empty'),
        (dict(images='videos', videos='empty'), ValueError, 'empty'),
        (dict(size='giant'), ValueError, "atto.*'giant'"),
        (dict(init='nowhere.pth'), FileNotFoundError, 'nowhere.pth'),
        (dict(init='images/0/0.png', size='atto'), ValueError, 'leave size'),
        (dict(epochs=0), ValueError, 'epochs.* 0'),
        (dict(device='quantum'), ValueError, 'quantum'),
        (dict(out='images/damaged.png'), ValueError, 'damaged.png'),
    ],
)
def test_what_is_refused(changes, error, message, data, tmp_path, monkeypatch):
    monkeypatch.chdir(data)
    arguments = dict(images='images', out=tmp_path / 'run') | changes
    with pytest.raises(error, match=message):
        mcjepa_mm.pretrain(**arguments)
    assert not [*tmp_path.iterdir()]


def test_another_training_is_not_written_over(data, tmp_path):
    torch.save({}, tmp_path / 'epoch_1.pth')
    with pytest.raises(ValueError, match='another out'):
        mcjepa_mm.pretrain(images=data / 'images', out=tmp_path)
    assert [x.name for x in tmp_path.iterdir()] == ['epoch_1.pth']


SMALL_MACHINE = """
import sys
import torch
import mcjepa_mm
from mcjepa_mm.utils import memory
memory.machine_memory = lambda: 2**30
try:
    mcjepa_mm.pretrain(
        images=sys.argv[1],
        out='run',
        size='large',
        epochs=1,
        epoch_length=1,
        device='cpu',
    )
except MemoryError as error:
    print(error)
torch.empty(2**30, dtype=torch.uint8)  # the limit was the trial's
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='Linux alone limits it')
def test_too_large_for_the_machine(data, run, tmp_path):
    """Its weights alone are 800 MB; in a process that has freed nothing."""
    done = run('python', '-c', SMALL_MACHINE, data / 'images', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'smaller size' in done.stdout.splitlines()[-1]
