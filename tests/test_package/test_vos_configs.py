"""The configs of video object segmentation on files in DAVIS's layout."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mcjepa_mm.datasets.embedded_world.export import export
from mcjepa_mm.engine.launch import build_runner, initialize_model, load_config
from mcjepa_mm.utils.image_file import pascal_palette

CONFIGS = Path(__file__).parents[2] / 'configs/vos'
NAMES = sorted(path.name for path in CONFIGS.glob('*.py'))
VIT = 'label-propagation_vit-small-p16_davis2017-480p.py'
EMBEDDED = 'label-propagation_mcjepa-convnext-micro_embedded-davis.py'
FIGURES = {'JF_mean', 'J_mean', 'J_recall', 'J_decay'}
FIGURES |= {'F_mean', 'F_recall', 'F_decay'}


@pytest.fixture(scope='module')
def davis(tmp_path_factory):
    """Two clips of four frames, also as test-dev and at full resolution."""
    root = tmp_path_factory.mktemp('davis')
    export('davis2017', root / 'x', num_scenes=2, num_frames=4, size=(64, 96))
    root = root / 'x' / 'DAVIS'
    for part in ('JPEGImages', 'Annotations'):
        (root / part / 'Full-Resolution').symlink_to(root / part / '480p')
    lists = root / 'ImageSets' / '2017'
    shutil.copytree(lists, root / 'ImageSets' / '2016')
    # the train clips, of which only the first mask is known
    shutil.copy(lists / 'train.txt', lists / 'test-dev.txt')
    for mask in root.glob('Annotations/480p/world_train_*/*.png'):
        if mask.stem != '00000':
            mask.unlink()
    return root


def small(name, davis, tmp_path, **options):
    """The config on small frames, and nothing around the test."""
    cfg = load_config(str(CONFIGS / name), work_dir=str(tmp_path / 'work'))
    loader = cfg.test_dataloader
    loader.update(num_workers=0, persistent_workers=False)
    loader.dataset.data_root = str(davis)
    loader.dataset.pipeline[2].update(short_side=64, multiple=32)
    for evaluator in cfg.test_evaluator:
        evaluator['out_dir'] = str(tmp_path / 'out')
        if evaluator['type'] == 'ObjectMaskWriter':
            evaluator.update(options)
    cfg.visualizer.vis_backends = []
    cfg.experiment_name = tmp_path.name
    cfg.randomness = dict(seed=0)
    return cfg


def test_all_are_listed():
    assert len(NAMES) == 8 and {EMBEDDED, VIT} < set(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_keeps_to_the_protocol(name):
    cfg = load_config(str(CONFIGS / name))
    assert dict(cfg.model.propagator) == dict(
        context_frames=7,
        radius=12,
        topk=5,
        temperature=0.1,
        max_memory=256,
    )
    resize = cfg.test_dataloader.dataset.pipeline[2]
    stride = {EMBEDDED: 4, VIT: 16}.get(name, 8)
    assert resize.short_side == (384 if name == EMBEDDED else 480)
    assert (resize.multiple, cfg.model.stride) == (64, stride)


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_tests_end_to_end(name, davis, tmp_path):
    runner = build_runner(small(name, davis, tmp_path))
    initialize_model(runner)
    figures = runner.test()
    split = 'train' if 'test-dev' in name else 'val'
    assert figures.pop('files') == 8
    assert set(figures) == (set() if split == 'train' else FIGURES)
    assert all(-100 <= figure <= 100 for figure in figures.values())
    masks = tmp_path / 'out' / 'masks'
    assert sorted(x.name for x in masks.iterdir()) == [
        f'world_{split}_1',
        f'world_{split}_2',
    ]
    for path in sorted(masks.glob('*/*.png')):
        image = Image.open(path)
        truth = davis / 'Annotations/480p' / path.parent.name / '00000.png'
        truth = np.array(Image.open(truth))
        if 'davis2016' in name:
            truth = (truth > 0).astype(np.uint8)  # all is one object
        assert image.mode == 'P'
        palette = np.reshape(image.getpalette(), (-1, 3))
        np.testing.assert_array_equal(palette, pascal_palette())
        assert set(np.unique(image)) <= set(np.unique(truth))
        if path.stem == '00000':
            np.testing.assert_array_equal(np.array(image), truth)
    assert len(list(masks.glob('*/*.png'))) == 8
    assert not (tmp_path / 'out' / 'overlays').exists()


@pytest.mark.slow
def test_a_pretraining_s_checkpoint_and_videos(davis, tmp_path):
    cfg = small(EMBEDDED, davis, tmp_path, videos=True)
    model = build_runner(cfg).model
    torch.manual_seed(1)
    state = {k: torch.randn_like(v) for k, v in model.state_dict().items()}
    state = {k: v for k, v in state.items() if k.startswith('backbone.')}
    state['heads.content.x'] = torch.zeros(1)
    torch.save(dict(state_dict=state, meta={}), tmp_path / 'epoch_1.pth')
    cfg.load_from = str(tmp_path / 'epoch_1.pth')
    cfg.experiment_name += '-2'
    runner = build_runner(cfg)
    runner.test()
    for key, value in runner.model.state_dict().items():
        if key in state:
            torch.testing.assert_close(value, state[key])
    videos = (tmp_path / 'out' / 'overlays').iterdir()
    assert sorted(x.name for x in videos) == [
        'world_val_1.mp4',
        'world_val_2.mp4',
    ]
