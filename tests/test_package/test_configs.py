"""Every config that can be run builds, loads a checkpoint and takes a step."""

import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from mcjepa_mm.datasets.flow_files import read_flow
from mcjepa_mm.engine.launch import build_runner
from mcjepa_mm.utils.image_file import pascal_palette

sys.path.append(str(Path(__file__).parent))
from small_configs import SIZE, SmallConfigs, find_configs

# headless: test_model_hub.py; pwcnet and raft: tests/test_flow_slot_in
NAMES = [
    name
    for family in ('classification', 'segmentation', 'vos', 'flow')
    for name in find_configs(family)
    if not any(x in name for x in ('headless', '/pwcnet', '/raft'))
]
LINEAR = 'classification/mcjepa_convnext-micro_1xb64-linear-coslr-10e_embedded'
KNN = 'classification/mcjepa_convnext-micro_knn_embedded'


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    return SmallConfigs(tmp_path_factory.mktemp('data'))


def config_files(repo):
    return sorted((repo / 'configs').rglob('*.py'))


def test_mim_finds_one_file_for_the_name_of_a_config(repo):
    # MIM walks all of the package for a basename: a module of the same name
    # is one too many as well. It follows links, and so into .mim.
    package = repo / 'mcjepa_mm'
    count = Counter(
        name
        for _, _, names in os.walk(package, followlinks=True)
        for name in names
    )
    names = {path.name for path in config_files(repo)}
    assert {name: count[name] for name in names if count[name] != 1} == {}


def test_the_model_index_lists_every_config_that_can_be_run(repo):
    index = yaml.safe_load((repo / 'model-index.yml').read_text())
    listed = {  # weights may have a name of their own
        repo / model['Config']
        for name in index['Import']
        for model in yaml.safe_load((repo / name).read_text())['Models']
    }
    assert sorted(listed) == [
        path for path in config_files(repo) if '_base_' not in path.parts
    ]


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_builds_loads_and_takes_a_step(name, small, tmp_path):
    """A frozen encoder stays as it was loaded, statistics and all."""
    frozen = 'linear' in name
    settings = dict(norm_cfg=dict(type='BN'), drop_path_rate=0.9)
    cfg = small(name, tmp_path, **(settings if frozen else {}))
    runner = build_runner(cfg)
    training = bool(cfg.get('train_dataloader'))
    if training:
        runner.train()
    else:
        runner.test()
    loaded = torch.load(tmp_path / 'epoch_1.pth')['state_dict']
    after = runner.model.state_dict()
    kept = {key for key in after if key.startswith('backbone.')}
    assert kept == set(loaded) - {'heads.content.x'}
    moved = {key for key in kept if not torch.equal(after[key], loaded[key])}
    assert moved == (kept if training and not frozen else set())
    if training:
        assert runner.message_hub.get_scalar('train/loss').current() > 0
        state = runner.optim_wrapper.optimizer.state
        for key, param in runner.model.named_parameters():
            assert (param in state) == param.requires_grad, key
            assert not (frozen and param.requires_grad and key in kept)
    if frozen:
        encoder = runner.model.train().backbone
        assert not any(part.training for part in leaves(encoder))
    figures = {
        key: float(scalar.current())
        for key, scalar in runner.message_hub.log_scalars.items()
        if key.startswith(('val/', 'test/')) and 'time' not in key
    }
    assert figures or cfg.get('val_cfg') is None
    assert np.isfinite(list(figures.values())).all()
    if 'submission' in name:
        check_flow(tmp_path / 'out', number=sum(figures.values()))
    if name.startswith('vos'):
        if 'youtube' in name:
            check_youtube(name, tmp_path / 'out')
        else:
            check_masks(name, cfg, tmp_path / 'out' / 'masks')


def leaves(module):
    return [part for part in module.modules() if not [*part.children()]]


def check_flow(folder, number):
    files = [path for path in folder.rglob('*') if path.is_file()]
    assert len(files) == number > 0
    for path in files:
        flow, valid = read_flow(path)
        assert flow.shape == (2, *SIZE) and valid.all()


def check_youtube(name, folder):
    """A mask of each frame; what begins later is not in the first."""
    if 'train' in name:
        assert (folder / 'objects.csv').read_text().count('world_val_1') > 0
        return
    paths = sorted(folder.rglob('*.*'))
    assert [str(path.relative_to(folder)) for path in paths] == [
        f'Annotations/world_val_1/{t:05d}.png' for t in range(3)
    ]
    found = [set(np.unique(Image.open(path))) for path in paths]
    assert found[0] == {0, 1} and found[1] > {0}


def check_masks(name, cfg, folder):
    """Each frame has a mask; the first is the truth."""
    split = 'train' if 'test-dev' in name else 'val'
    paths = sorted(folder.glob('*/*.png'))
    assert [str(path.relative_to(folder)) for path in paths] == [
        f'world_{split}_{clip}/{t:05d}.png'
        for clip in (1, 2)
        for t in range(3)
    ]
    root = Path(cfg.test_dataloader.dataset.data_root)
    for path in paths:
        image = Image.open(path)
        truth = root / 'Annotations/480p' / path.parent.name / '00000.png'
        truth = np.array(Image.open(truth))
        if 'davis2016' in name:
            truth = (truth > 0).astype(np.uint8)  # all is one object
        palette = np.reshape(image.getpalette(), (-1, 3))
        np.testing.assert_array_equal(palette, pascal_palette())
        assert set(np.unique(image)) <= set(np.unique(truth))
        if path.stem == '00000':
            np.testing.assert_array_equal(np.array(image), truth)


@pytest.mark.slow
def test_refuses_a_checkpoint_of_something_else(small, tmp_path):
    cfg = small(f'{LINEAR}.py', tmp_path)
    cfg.model.backbone.init_cfg.checkpoint = str(tmp_path / 'none.pth')
    with pytest.raises(FileNotFoundError, match='none.pth'):
        build_runner(cfg).train()
    path = tmp_path / 'resnet.pth'
    torch.save({'backbone.layer1.0.conv1.weight': torch.zeros(1)}, path)
    cfg.model.backbone.init_cfg.checkpoint = str(path)
    cfg.experiment_name += '_again'
    with pytest.raises(ValueError, match='layer1'):
        build_runner(cfg).train()


@pytest.mark.slow
def test_knn_equals_brute_force(small, tmp_path):
    cfg = small(f'{KNN}.py', tmp_path)
    cfg.model.head.k = 5
    runner = build_runner(cfg)
    top1 = runner.test()['accuracy/top1']
    dataset = runner.test_dataloader.dataset
    bank = runner.model.head.bank_labels, runner.model.head.bank.double()
    assert bank[0].tolist() == 2 * list(range(10))  # as listed
    right = 0
    for i in range(20):
        inputs = dataset[i]['inputs'][None]
        with torch.no_grad():
            inputs = runner.model.data_preprocessor(dict(inputs=inputs))
            feat = runner.model.extract_feat(inputs['inputs'])[0][0].double()
        cos = (bank[1] @ feat / feat.norm()).numpy()
        votes = np.zeros(10)
        for j in np.argsort(-cos)[:5]:
            votes[bank[0][j]] += np.exp(cos[j] / 0.07)
        right += votes.argmax() == dataset.get_data_info(i)['gt_label']
    assert top1 == pytest.approx(100 * right / 20)
