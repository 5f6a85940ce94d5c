"""The optical flow data sets as their config reads them, without labels."""

import itertools
import random

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mcjepa_mm.datasets import BadSampleGuard
from mcjepa_mm.registry import DATASETS

pytestmark = pytest.mark.usefixtures('default_scope')


def clip(pattern, numbers):
    """Paths of consecutive frames."""
    return [pattern.format(number) for number in numbers]


def multiview(left, right):
    """KITTI's scenes of 21 frames, two cameras; 9 to 12 are not used."""
    used, other = [], ['training/flow_occ/000000_10.png']
    for split in ('training', 'testing'):
        for scene in (0, 3):
            path = f'{split}/{left}/{scene:06d}_{{:02d}}.png'
            used += [clip(path, range(9)), clip(path, range(13, 21))]
            other += clip(path, range(9, 13))
        other += clip(f'{split}/{right}/000000_{{:02d}}.png', range(3))
    return used, other


RAW = '2011_09_26/2011_09_26_drive_{}/image_0{}/data/{{:010d}}.png'

#: What the archives hold: clips that are used, and files that are not.
LAYOUTS = dict(
    flyingchairs=(
        [clip(f'data/{n:05d}_img{{}}.ppm', (1, 2)) for n in (1, 2, 10)],
        ['data/00011_img1.ppm', 'data/00001_img3.ppm'],
    ),
    flyingthings3d=(
        [
            clip(f'frames_{passes}pass/TRAIN/{scene}/{{:04d}}.png', numbers)
            for passes in ('clean', 'final')
            for scene, numbers in (
                ('A/0000/left', (6, 7, 8)),
                ('A/0000/right', (6, 7, 8)),
                ('B/0001/left', (6, 7)),
                ('B/0001/right', (6, 7)),
            )
        ],
        clip('frames_cleanpass/TEST/A/0000/left/{:04d}.png', (6, 7)),
    ),
    sintel=(
        [
            clip(f'{split}/{passes}/{scene}/frame_{{:04d}}.png', numbers)
            for split in ('training', 'test')
            for passes in ('clean', 'final')
            for scene, numbers in (('alley_1', (1, 2, 3)), ('cave_2', (1, 2)))
        ],
        [
            *clip('training/albedo/alley_1/frame_{:04d}.png', (1, 2)),
            *clip('training/occlusions/alley_1/frame_{:04d}.png', (1, 2)),
        ],
    ),
    kitti2012=multiview('colored_0', 'colored_1'),
    kitti2015=multiview('image_2', 'image_3'),
    kitti_raw=(
        [
            clip(RAW.format('0001_sync', 2), (0, 1, 2)),
            clip(RAW.format('0002_sync', 2), (0, 1)),
            clip(RAW.format('0002_sync', 2), (3, 4)),  # 2 is missing
        ],
        [
            *clip(RAW.format('0001_sync', 3), (0, 1, 2)),
            *clip(RAW.format('0001_extract', 2), (0, 1)),
        ],
    ),
    hd1k=(
        [
            clip(f'hd1k_input/image_2/{n:06d}_{{:04d}}.png', (10, 11, 12))
            for n in (0, 1)
        ],
        [
            *clip('hd1k_flow_gt/flow_occ/000000_{:04d}.png', (10, 11)),
            *clip('hd1k_challenge/image_2/000000_{:04d}.png', (13, 14)),
        ],
    ),
)


@pytest.fixture
def config(repo, tmp_path):
    """The config for data sets below ``tmp_path`` with tiny frames."""
    path = repo / 'configs/_base_/datasets/flow_benchmark_pairs.py'
    config = Config.fromfile(path).motion_train_dataloader
    for repeat in config.dataset.datasets:
        pairs = repeat.dataset.dataset
        pairs.data_root = str(tmp_path / pairs.data_root)
        for step in pairs.pipeline:
            if step.type.endswith('RandomCropPair'):
                step.crop_size = (64, 96)
            if step.type.endswith('ResizePair'):
                step.short_side = 72
    return config


@pytest.fixture
def write(tmp_path, write_image):
    """Function that writes a data set; returns its pairs of paths."""

    def write(name):
        root = tmp_path / 'data' / name
        used, other = LAYOUTS[name]
        for paths in used:
            for number, path in enumerate(paths):
                write_image(root / path, number)
        for path in other:
            write_image(root / path, 15)
        return [
            [str(root / path) for path in pair]
            for paths in used
            for pair in itertools.pairwise(paths)
        ]

    return write


@pytest.mark.parametrize('position, name', list(enumerate(LAYOUTS)))
def test_pairs_are_consecutive_frames_of_a_clip_and_view(
    config, write, number, position, name
):
    expected = write(name)
    part = config.dataset.datasets[position]
    assert part.dataset.dataset.data_root.endswith(f'data/{name}')
    guard = DATASETS.build(part.dataset)
    assert isinstance(guard, BadSampleGuard) and name in guard.name
    found = [guard.get_data_info(i)['img_path'] for i in range(len(guard))]
    assert sorted(found) == sorted(expected)
    for index in random.Random(0).sample(range(len(guard)), 3):
        sample = guard[index]
        assert sample['inputs'].shape == (2, 3, 64, 96)
        first, second = (
            number(frame.permute(1, 2, 0).float().numpy())
            for frame in sample['inputs']
        )
        assert second == first + 1 < 15


@pytest.fixture
def mixture(config, write):
    """HD1K and FlyingChairs, 3 and 2 times, and the pairs they hold."""
    hd1k, chairs = config.dataset.datasets[-1], config.dataset.datasets[0]
    hd1k.times, chairs.times = 3, 2
    config.dataset.datasets = [hd1k, chairs]
    config.update(num_workers=2, batch_size=2)
    config.pin_memory = False
    return config, write('hd1k'), write('flyingchairs')


def test_repetition_counts(mixture):
    config, hd1k, chairs = mixture
    dataset = DATASETS.build(config.dataset)
    paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
    assert sorted(paths) == sorted(3 * hd1k + 2 * chairs)
    assert dataset.metainfo['task_name'] == 'motion'
    # The sampler of a run gives each as often.
    loader = Runner.build_dataloader(config, seed=0)
    seen = [
        list(sample.img_path)
        for batch in loader
        for sample in batch['data_samples']
    ]
    assert len(seen) == 3 * 4 + 2 * 3 and sorted(seen) == sorted(paths)
