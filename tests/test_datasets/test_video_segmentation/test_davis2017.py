"""DAVIS 2017 on exported files, whole and damaged."""

import shutil

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mcjepa_mm.datasets import BadSampleError


def expected_masks(scene, times, fewest):
    """The instances that the first frame shows, from 1 on, by hand."""
    numbers = dict.fromkeys(range(256), 0)
    first = scene.instance_mask(0)
    for instance in range(1, len(scene.objects) + 1):
        if (first == instance).sum() >= fewest:
            numbers[instance] = max(numbers.values()) + 1
    return [np.vectorize(numbers.get)(scene.instance_mask(t)) for t in times]


@pytest.fixture
def davis(copy):
    """The folder DAVIS of an export that a test may damage."""
    return copy('davis2017') / 'DAVIS'


@pytest.fixture
def build(build):
    """Function of the folder DAVIS and further arguments."""
    return lambda root, **kwargs: build(
        'DAVIS2017', data_root=str(root), **kwargs
    )


@pytest.mark.parametrize('split', ['train', 'val'])
def test_samples_are_the_frames_of_the_world(build, exported, split):
    root, scene_set = exported('davis2017')
    dataset = build(root / 'DAVIS', split=split)
    assert len(dataset) == 8
    assert dataset.sequences == [range(4), range(4, 8)]
    objects = set()
    for number, scene in scene_set.scenes(split):
        masks = expected_masks(scene, range(4), 64 * 0.75**2)
        for t in range(4):
            sample = dataset[4 * number + t]
            name = f'world_{split}_{number + 1}'
            inputs = sample['inputs']
            assert inputs.shape == (3, 96, 128)
            image = scene.frame(t).transpose(2, 0, 1)
            error = np.abs(inputs.numpy().astype(int) - image)
            assert error.mean() < 8  # a JPEG
            path = root / 'DAVIS/JPEGImages/480p' / name / f'{t:05d}.jpg'
            sample = sample['data_samples']
            assert sample.metainfo == dict(
                sequence=name,
                frame_index=t,
                num_frames=4,
                frame_name=f'{t:05d}',
                ori_shape=(96, 128),
                img_path=str(path),
            )
            np.testing.assert_array_equal(sample.gt_objects.data[0], masks[t])
            objects |= set(np.unique(masks[t]))
    assert {0, 1, 2} <= objects


def test_loader_of_the_config_gives_the_protocol_s_frames(repo, exported):
    path = repo / 'configs/_base_/datasets/vos_davis2017.py'
    config = Config.fromfile(path).davis2017_test_dataloader
    assert config.dataset.data_root == 'data/DAVIS'
    assert config.dataset.split == 'val'
    config.dataset.data_root = str(exported('davis2017')[0] / 'DAVIS')
    config.update(num_workers=0, persistent_workers=False)
    batches = list(Runner.build_dataloader(config))
    seen = []
    for batch in batches:
        [inputs], [sample] = batch['inputs'], batch['data_samples']
        # 96 x 128 is 3 : 4
        assert inputs.shape == (3, 480, 640) and inputs.dtype == torch.uint8
        assert sample.gt_objects.data.shape == (1, 96, 128)
        seen.append((sample.sequence, sample.frame_index))
    assert seen == [(f'world_val_{n}', t) for n in (1, 2) for t in range(4)]


def test_some_sequences_and_one_s_own_list(build, davis):
    chosen = build(davis, sequences='world_val_2')
    assert chosen.sequences == [range(4)]
    assert chosen.get_data_info(0)['sequence'] == 'world_val_2'
    names = ['world_val_2', 'world_val_1']
    assert build(davis, sequences=names).sequences == [range(4), range(4, 8)]
    (davis / 'ImageSets/2017/mine.txt').write_text(
        'world_val_2\r\n\nworld_train_1\n'
    )
    mine = build(davis, split='mine')
    listed = [mine.get_data_info(i)['sequence'] for i in range(8)]
    assert listed == ['world_val_2'] * 4 + ['world_train_1'] * 4


def test_full_resolution_is_another_folder(build, davis):
    for part in ('JPEGImages', 'Annotations'):
        (davis / part / '480p').rename(davis / part / 'Full-Resolution')
    dataset = build(davis, resolution='Full-Resolution')
    assert len(dataset) == 8
    assert '/Full-Resolution/' in dataset.get_data_info(3)['mask_path']
    with pytest.raises(FileNotFoundError, match='JPEGImages/480p'):
        build(davis)
    with pytest.raises(ValueError, match='1080p'):
        build(davis, resolution='1080p')


def test_a_folder_without_lists_and_resolution(build, davis):
    for part in ('JPEGImages', 'Annotations'):
        for folder in (davis / part / '480p').iterdir():
            folder.rename(davis / part / folder.name)
        (davis / part / '480p').rmdir()
    shutil.rmtree(davis / 'ImageSets')
    dataset = build(davis, split=None, resolution=None)
    names = ['world_train_1', 'world_train_2', 'world_val_1', 'world_val_2']
    assert dataset.sequences == [range(i, i + 4) for i in (0, 4, 8, 12)]
    found = [dataset.get_data_info(i)['sequence'] for i in (0, 4, 8, 12)]
    assert found == names
    assert dataset[5]['data_samples'].gt_objects.data.any()
    options = dict(split=None, resolution=None)
    assert len(build(davis, sequences=names[3], **options)) == 4
    with pytest.raises(ValueError, match='JPEGImages.*bear'):
        build(davis, sequences='bear', **options)


def test_some_frames_of_each_sequence(build, davis):
    dataset = build(davis, step=2)
    assert dataset.sequences == [range(2), range(2, 4)]
    for i, (index, number) in enumerate([(0, 0), (1, 2)] * 2):
        sample = dataset[i]['data_samples']
        assert (sample.frame_index, sample.num_frames) == (index, 2)
        assert sample.frame_name == f'{number:05d}'
        path = dataset.get_data_info(i)['mask_path']
        assert path.endswith(f'{number:05d}.png')
    assert build(davis, max_frames=3).sequences == [range(3), range(3, 6)]
    for name in ('step', 'max_frames'):
        with pytest.raises(ValueError, match=name):
            build(davis, **{name: 0})


def test_a_split_with_first_masks_only(build, davis):
    # as test-dev
    for path in davis.glob('Annotations/480p/*/*.png'):
        if path.stem != '00000':
            path.unlink()
    dataset = build(davis)
    annotated = ['gt_objects' in dataset[i]['data_samples'] for i in range(8)]
    assert annotated == [True, False, False, False] * 2


def test_listing_may_wait(build, davis):
    dataset = build(davis, lazy_init=True)
    assert dataset.sequences == [range(4), range(4, 8)]
    assert len(dataset) == 8


@pytest.mark.parametrize('part', ['JPEGImages', 'Annotations', 'ImageSets'])
def test_archive_that_is_not_unpacked(build, davis, part):
    shutil.rmtree(davis / part)
    with pytest.raises(
        FileNotFoundError,
        match=rf'{part}/\w+ .*DAVIS2017',
    ):
        build(davis)


def test_root_that_does_not_exist(build, tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere'):
        build(tmp_path / 'nowhere')


def test_lists_that_cannot_be_used(build, davis):
    with pytest.raises(
        FileNotFoundError,
        match=r"test-dev.txt.*\['train', 'val'\]",
    ):
        build(davis, split='test-dev')
    with pytest.raises(ValueError, match='val.txt.*bear.*world'):
        build(davis, sequences=['bear', 'world_val_1'])
    path = davis / 'ImageSets/2017/val.txt'
    path.write_text('\n')
    with pytest.raises(ValueError, match='val.txt'):
        build(davis)
    path.write_text('world_val_1\nworld_val_1\n')
    with pytest.raises(ValueError, match='world_val_1'):
        build(davis)
    path.write_text('world_val_1\nworld_val_7\n')
    with pytest.raises(FileNotFoundError, match='480p/world_val_7'):
        build(davis)


@pytest.mark.parametrize(
    'lost, match',
    [
        ('JPEGImages @/00000.jpg', 'world_val_2.*00000'),
        ('JPEGImages @/00002.jpg', 'world_val_2.*00002'),
        ('JPEGImages @/00003.jpg', '00003.*480p/.*/00003.png'),
        (
            'Annotations @/00000.png',
            'world_val_2.*/00000.jpg',
        ),
        (
            'Annotations @/00002.png',
            '/00002.jpg',
        ),
    ],
)
def test_missing_files_are_told_when_files_are_listed(
    build, davis, lost, match
):
    part, name = lost.split()
    (davis / part / '480p' / name.replace('@', 'world_val_2')).unlink()
    with pytest.raises(FileNotFoundError, match=match):
        build(davis)
    assert len(build(davis, sequences='world_val_1')) == 4


def test_gap_in_a_sequence_without_later_masks(build, davis):
    folder = davis / 'JPEGImages/480p/world_val_1'
    for path in davis.glob('Annotations/480p/*/*.png'):
        if path.stem != '00000':
            path.unlink()
    (folder / '00002.jpg').unlink()
    with pytest.raises(
        FileNotFoundError,
        match='/00001.jpg .*/00003.jpg',
    ):
        build(davis)
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(ValueError, match='world_val_1'):
        build(davis)


def test_first_masks_are_read_when_files_are_listed(build, davis):
    path = davis / 'Annotations/480p/world_val_2/00000.png'
    Image.open(path).resize((64, 48)).save(path)
    with pytest.raises(
        BadSampleError, match=r'world_val_2/00000.png.*48 x 64'
    ):
        build(davis)


def test_first_frames_are_read_when_files_are_listed(build, davis, truncate):
    truncate(davis / 'JPEGImages/480p/world_val_1/00000.jpg')
    with pytest.raises(BadSampleError, match='00000.jpg'):
        build(davis)


def test_later_files_fail_when_they_are_loaded(build, davis, truncate):
    truncate(davis / 'JPEGImages/480p/world_val_1/00001.jpg')
    mask = davis / 'Annotations/480p/world_val_2/00002.png'
    Image.open(mask).resize((64, 48)).save(mask)
    image = davis / 'JPEGImages/480p/world_val_2/00003.jpg'
    Image.open(image).resize((64, 48)).save(image)
    dataset = build(davis)
    for index, match in (
        (1, '00001.jpg'),
        (6, '00002.png.* 48 x 64 .*00002.jpg.* 96 x 128'),
        (7, '00003.jpg.* 48 x 64 .*world_val_2.* 96 x 128'),
    ):
        with pytest.raises(BadSampleError, match=match):
            dataset[index]
    for index in (0, 2, 5):
        dataset[index]
