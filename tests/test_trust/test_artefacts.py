"""What the program writes runs nothing where it is read."""

import json
import pickletools
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from toy_pretraining import evaluation, training

from mcjepa_mm.apis import FlowInferencer, draw_feature_maps, propagate_masks
from mcjepa_mm.datasets.embedded_world.export import LAYOUTS, export
from mcjepa_mm.engine.launch import build_runner
from mcjepa_mm.exports import convert_keys, plain_checkpoint, publish
from mcjepa_mm.registry import MODELS

from .conftest import WEIGHTS

TOYS = Path(__file__).parents[1] / 'toys'
PLAIN = (int, float, str, bool, type(None), torch.Tensor)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings('ignore')]


def assert_plain(value, name):
    """Nothing but tensors, numbers, strings and containers of them."""
    if isinstance(value, dict):
        for key, item in value.items():
            assert type(key) in (str, int), (name, key)
            assert_plain(item, f'{name}.{key}')
    elif type(value) in (list, tuple):
        for item in value:
            assert_plain(item, name)
    else:
        assert type(value) in PLAIN, (name, type(value))


def is_pickle(data):
    """Whether it is one from its first byte to its last."""
    try:
        *_, (_, _, end) = pickletools.genops(data)
    # what is raised depends on where it stops making sense
    except Exception:  # noqa: BLE001
        return False
    return end == len(data.rstrip()) - 1 and data[:1] == b'\x80'


def check(folder):
    """Check all files in a folder; return how many end in what."""
    found = {}
    for path in folder.rglob('*'):
        if not path.is_file():
            continue
        found[path.suffix] = found.get(path.suffix, 0) + 1
        data = path.read_bytes()
        if path.suffix == '.pth':
            content = torch.load(path, weights_only=True)
            assert_plain(content, path.name)
            continue
        # the archives of torch and of numpy hold pickles
        assert data[:4] != b'PK\x03\x04', path
        assert not is_pickle(data), path
        if path.suffix == '.json' and 'vis_data' not in path.parts:
            json.loads(data)
    return found


def test_a_pickle_is_known(tmp_path):
    import pickle

    for protocol in range(2, 6):
        assert is_pickle(pickle.dumps([1, 'a'], protocol))
    assert not is_pickle(b'\x89PNG') and not is_pickle(b'PIEH')


def test_a_run(tmp_path):
    """Training with all kinds of checkpoints, resumed, then tested."""
    config = training(
        tmp_path / 'work',
        launcher='none',
        custom_imports=dict(imports=['toy_pretraining']),
        param_scheduler=[
            dict(type='OneCycleLR', eta_max=0.1, end=8, by_epoch=False)
        ],
        default_hooks=dict(
            checkpoint=dict(
                type='CheckpointHook',
                interval=1,
                max_keep_ckpts=1,
                save_best='motion/EPE',
                rule='less',
                published_keys=['meta', 'state_dict', 'message_hub'],
            )
        ),
        custom_hooks=[
            dict(type='EMAHook'),
            dict(type='PretrainVisualizationHook'),
        ],
        vis_backends=[
            dict(type='LocalVisBackend'),
            dict(type='TensorboardVisBackend'),
        ],
        **evaluation('val'),
        **evaluation('test'),
    )
    vis = config.pop('vis_backends')
    config['visualizer'] = dict(type='Visualizer', vis_backends=vis)
    config['optim_wrapper'] = dict(
        optimizer=dict(type='AdamW', lr=0.1), clip_grad=dict(max_norm=1.0)
    )
    for epochs in (1, 2):
        config['train_cfg']['max_epochs'] = epochs
        config['experiment_name'] = f'{tmp_path.name}_{epochs}'
        config['resume'] = epochs == 2
        runner = build_runner(Config(config))
        runner.train()
    assert runner.iter == 4
    runner.test()
    found = check(tmp_path)
    # the last, the best, and each of both published
    assert found['.pth'] >= 4
    assert not {'.pkl', '.npz', '.npy', '.part'} & set(found)
    assert found['.json'] and found['.png']


def test_exports(tmp_path):
    old = tmp_path / 'epoch_1.pth'
    meta = dict(experiment_name='toy', dataset_meta=dict(reader=object()))
    torch.save(dict(state_dict=WEIGHTS, meta=meta), old)
    new = tmp_path / 'out' / 'plain.pth'
    plain_checkpoint(old, new)
    publish(new)
    publish(new, safetensors=True)
    for name in ('timm.pth', 'timm.safetensors'):
        convert_keys(new, new.parent / name, to='timm')
    convert_keys(new, new.parent / 'mmpretrain.pth', to='mmpretrain')
    assert check(new.parent) == {'.pth': 4, '.safetensors': 2}


def test_the_embedded_world(tmp_path):
    for layout in LAYOUTS:
        export(layout, tmp_path / layout, num_scenes=1, size=(32, 48))
    found = check(tmp_path)
    assert set(found) == {
        *('.JPEG', '.flo', '.jpg', '.pfm', '.png', '.ppm', '.txt')
    }


def test_inference(tmp_path):
    export('davis2017', tmp_path / 'data', num_scenes=1, size=(64, 96))
    folder = min(tmp_path.glob('data/DAVIS/JPEGImages/480p/*'))
    mask = min(tmp_path.glob(f'data/DAVIS/Annotations/480p/{folder.name}/*'))
    checkpoint = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=WEIGHTS), checkpoint)
    out = tmp_path / 'out'
    draw_feature_maps(checkpoint, folder, out / 'maps', device='cpu')
    propagate_masks(folder, mask, out / 'objects', checkpoint, device='cpu')
    model = MODELS.build(Config.fromfile(TOYS / 'toy_flow_config.py').model)
    written = ('flo', 'png', 'color')
    FlowInferencer(model)(folder, out_dir=out / 'flow', save=written)
    assert set(check(out)) == {'.flo', '.png', '.mp4'}
