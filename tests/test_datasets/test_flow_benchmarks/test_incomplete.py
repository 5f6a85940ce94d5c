"""Folders that are missing, empty, or have lost some of their files."""

import shutil

import pytest

from mcjepa_mm.datasets import BadSampleError, BadSampleGuard
from mcjepa_mm.registry import DATASETS

LOAD = [
    dict(type='mcjepa_mm.LoadFlowPair'),
    dict(type='mcjepa_mm.LoadFlowAnnotations'),
]
NAMES = dict(
    FlyingChairs='flyingchairs',
    FlyingThings3D='flyingthings3d',
    Sintel='sintel',
    KITTI2012='kitti2012',
    KITTI2015='kitti2015',
    HD1K='hd1k',
)


def build(name, root, **kwargs):
    config = dict(type=f'mcjepa_mm.{name}', data_root=str(root), **kwargs)
    return DATASETS.build(config)


def frames(dataset, key='img1_path'):
    names = [dataset.get_data_info(i)[key] for i in range(len(dataset))]
    return [name.rsplit('/', 1)[-1] for name in names]


def strip(entries):
    """Entries without their places in the list."""
    return [
        {k: v for k, v in entry.items() if k != 'sample_idx'}
        for entry in entries
    ]


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('test_mode', [False, True])
def test_missing_folder_says_what_belongs_there(tmp_path, name, test_mode):
    root = tmp_path / 'nowhere'
    match = f'nowhere.*{name}'
    with pytest.raises(FileNotFoundError, match=match):
        build(name, root, test_mode=test_mode)
    config = dict(type=f'mcjepa_mm.{name}', data_root=str(root))
    with pytest.raises(FileNotFoundError, match=match):
        BadSampleGuard(config)


@pytest.mark.parametrize(
    'name, folder',
    [
        ('FlyingThings3D', 'optical_flow/TRAIN'),
        ('FlyingThings3D', 'frames_cleanpass/TRAIN'),
        ('Sintel', 'training/flow'),
        ('KITTI2012', 'training/flow_occ'),
        ('KITTI2015', 'training/flow_occ'),
        ('HD1K', 'hd1k_flow_gt/flow_occ'),
    ],
)
def test_archive_that_is_not_unpacked(copy, name, folder):
    root = copy(NAMES[name])
    shutil.rmtree(root / folder)
    with pytest.raises(FileNotFoundError, match=folder):
        build(name, root)


@pytest.mark.parametrize('name', NAMES)
def test_empty_folders_are_an_error(copy, name):
    root = copy(NAMES[name])
    for path in root.rglob('*'):
        if path.is_file() and path.suffix != '.txt':
            path.unlink()
    with pytest.raises(ValueError, match=name):
        build(name, root)


@pytest.mark.parametrize(
    'name, lost, pairs',
    [
        ('FlyingChairs', 'data/00003_img1.ppm', 2),
        ('FlyingThings3D', 'frames_cleanpass/TRAIN/A/0000/left/0007.png', 12),
        (
            'FlyingThings3D',
            'optical_flow/TRAIN/A/0001/into_past/right/'
            'OpticalFlowIntoPast_0008_R.pfm',
            12,
        ),
        ('Sintel', 'training/flow/world_1/frame_0002.flo', 6),
        ('Sintel', 'training/clean/world_1/frame_0001.png', 6),
        ('Sintel', 'training/clean/world_1/frame_0004.png', 6),
        ('Sintel', 'training/invalid/world_2/frame_0001.png', 6),
        ('KITTI2012', 'training/colored_0/000000_10.png', 2),
        ('KITTI2012', 'training/flow_noc/000001_10.png', 2),
        ('KITTI2015', 'training/obj_map/000000_10.png', 2),
        ('HD1K', 'hd1k_flow_gt/flow_occ/000001_0001.png', 6),
    ],
)
def test_missing_file_is_named_and_spoils_no_other_pair(
    copy, name, lost, pairs
):
    root = copy(NAMES[name])
    whole = build(name, root, pipeline=LOAD)
    expected = [whole.get_data_info(i) for i in range(len(whole))]
    (root / lost).unlink()
    dataset = build(name, root, pipeline=LOAD)
    found = [dataset.get_data_info(i) for i in range(len(dataset))]
    # A frame that is gone cannot be the first of a pair, but the pair
    # before it is still listed.
    assert all(entry in strip(expected) for entry in strip(found))
    assert len(found) in (pairs, pairs - 1)
    bad = 0
    for index in range(len(dataset)):
        if str(root / lost) in found[index].values():
            with pytest.raises(BadSampleError, match=lost) as error:
                dataset[index]
            assert error.value.filename == str(root / lost)
            bad += 1
        else:
            dataset[index]
    assert bad == 1
    guard = BadSampleGuard(dataset, max_bad=1)
    for index in range(len(guard)):
        guard[index]
    assert guard.bad_files() == [str(root / lost)]


def test_the_split_is_that_of_the_pairs_that_are_there(copy):
    root = copy('flyingchairs')
    for path in root.glob('data/00001_*'):
        path.unlink()
    # 2 and 4 are the pairs of the validation split
    assert frames(build('FlyingChairs', root)) == ['00003_img1.ppm']
    assert frames(build('FlyingChairs', root, test_mode=True)) == [
        '00002_img1.ppm',
        '00004_img1.ppm',
    ]


@pytest.mark.parametrize('folder', ['test', 'testing/test', 'testing'])
def test_sintel_test_split_is_found_where_it_may_be(copy, folder):
    root = copy('sintel')
    (root / 'test').rename(root / 'away')
    (root / folder).parent.mkdir(exist_ok=True)
    (root / 'away').rename(root / folder)
    dataset = build('Sintel', root, test_mode=True)
    assert len(dataset) == 6
    path = dataset.get_data_info(0)['img1_path']
    assert path == str(root / folder / 'clean/world_1/frame_0001.png')


def test_sintel_without_masks_has_no_masks(copy):
    root = copy('sintel')
    shutil.rmtree(root / 'training' / 'invalid')
    shutil.rmtree(root / 'training' / 'occlusions')
    dataset = build('Sintel', root, pipeline=LOAD)
    sample = dataset[0]
    assert 'gt_occ_fw' not in sample
    assert (sample['gt_valid_fw'] == 1).all()


@pytest.mark.parametrize(
    'name, kwargs, match',
    [
        ('Sintel', dict(scene='alley_1'), 'alley_1'),
        ('Sintel', dict(pass_style='albedo'), "'clean' or 'final'"),
        ('FlyingThings3D', dict(scene='middle'), 'middle'),
        ('FlyingThings3D', dict(pass_style='x'), "'clean' or 'final'"),
    ],
)
def test_wrong_arguments(exported, name, kwargs, match):
    with pytest.raises(ValueError, match=match):
        build(name, exported(NAMES[name])[0], **kwargs)


@pytest.mark.parametrize(
    'text, match',
    [('1\n2\n', '00004'), ('1\n3\n1\n2\n', "'3'")],
)
def test_wrong_split_file(copy, text, match):
    root = copy('flyingchairs')
    (root / 'FlyingChairs_train_val.txt').write_text(text)
    with pytest.raises(ValueError, match=match):
        build('FlyingChairs', root)
    (root / 'FlyingChairs_train_val.txt').unlink()
    with pytest.raises(FileNotFoundError, match='train_val.txt'):
        build('FlyingChairs', root)
