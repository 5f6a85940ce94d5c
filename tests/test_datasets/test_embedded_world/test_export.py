"""Files, names and folders of the exported layouts, and what is in them."""

import cv2
import numpy as np
import pytest

from mcjepa_mm.datasets.embedded_world.export import LAYOUTS, Layout, export
from mcjepa_mm.datasets.flow_files import read_flow
from mcjepa_mm.datasets.transforms import read_image


def numbered(pattern, *ranges):
    """Names for all combinations of numbers."""
    if not ranges:
        return {pattern}
    first, *rest = ranges
    names = [pattern.replace('@', f'{i:0{first[0]}d}', 1) for i in first[1]]
    return {x for name in names for x in numbered(name, *rest)}


SCENES, FRAMES = (6, range(2)), (4, range(4))
VOC = (6, range(1, 25))


def things(root, last):
    """FlyingThings' names: both subsets, scenes, cameras."""
    clips = numbered('{}/A/@', (4, range(2)))
    return {
        f'{root}/{clip.format(s)}/{last.format(view, view[0].upper())}'
        for s in ('TRAIN', 'TEST')
        for clip in clips
        for view in ('left', 'right')
    }


def things_frames(root, name):
    return {
        x for y in things(root, name) for x in numbered(y, (4, range(6, 10)))
    }


def sintel(split, name, frames=range(1, 5)):
    scenes = numbered(f'{split}/world_@/', (1, range(1, 3)))
    return {x for s in scenes for x in numbered(s + name, (4, frames))}


def kitti(images, frames, extras=('flow_occ', 'flow_noc')):
    names = {
        x
        for split in ('training', 'testing')
        for x in numbered(f'{split}/{images}/@_@.png', SCENES, (2, frames))
    }
    for extra in extras:
        names |= numbered(f'training/{extra}/@_10.png', SCENES)
    return names


FILES = dict(
    flyingchairs={'FlyingChairs_train_val.txt'}.union(
        *(
            numbered(f'data/@_{last}', (5, range(1, 5)))
            for last in ('img1.ppm', 'img2.ppm', 'flow.flo')
        )
    ),
    flyingthings3d=things_frames('frames_cleanpass', '{}/@.png')
    | things_frames('frames_finalpass', '{}/@.png')
    | things_frames(
        'optical_flow', 'into_future/{}/OpticalFlowIntoFuture_@_{}.pfm'
    )
    | things_frames(
        'optical_flow', 'into_past/{}/OpticalFlowIntoPast_@_{}.pfm'
    ),
    sintel={
        x.replace('clean', kind)
        for kind in ('clean', 'final')
        for split in ('training', 'test')
        for x in {
            y.replace(split, f'{split}/clean')
            for y in sintel(split, 'frame_@.png')
        }
    }
    | sintel('training/invalid', 'frame_@.png')
    | sintel('training/occlusions', 'frame_@.png', range(1, 4))
    | sintel('training/flow', 'frame_@.flo', range(1, 4)),
    kitti2012=kitti('colored_0', (10, 11)),
    kitti2015=kitti('image_2', (10, 11), ('flow_occ', 'flow_noc', 'obj_map')),
    kitti2012_multiview=kitti('colored_0', range(21)),
    kitti2015_multiview=kitti(
        'image_2', range(21), ('flow_occ', 'flow_noc', 'obj_map')
    ),
    kitti_raw={
        x
        for camera in ('image_02', 'image_03')
        for x in numbered(
            f'2011_09_26/2011_09_26_drive_@_sync/{camera}/data/@.png',
            (4, range(1, 3)),
            (10, range(4)),
        )
    },
    hd1k=numbered('hd1k_input/image_2/@_@.png', SCENES, FRAMES)
    | numbered('hd1k_flow_gt/flow_occ/@_@.png', SCENES, FRAMES)
    | numbered('hd1k_challenge/image_2/@_@.png', SCENES, (2, (10, 11))),
    voc2012_aug={
        f'VOCdevkit/VOC2012/{name}'
        for name in numbered('JPEGImages/2012_@.jpg', VOC)
        | numbered('SegmentationClassAug/2012_@.png', VOC)
        | numbered('SegmentationClass/2012_@.png', (6, range(1, 9)))
        | numbered('SegmentationClass/2012_@.png', (6, range(17, 25)))
        | {
            f'ImageSets/Segmentation/{split}.txt'
            for split in ('train', 'val', 'trainval', 'aug', 'trainaug')
        }
    },
    ade20k={
        f'ADEChallengeData2016/{kind}/{name}{suffix}'
        for kind, suffix in (('images', '.jpg'), ('annotations', '.png'))
        for name in numbered('training/ADE_train_@', (8, range(1, 9)))
        | numbered('validation/ADE_val_@', (8, range(1, 9)))
    },
    cityscapes={
        f'{kind}/{name}_{kind}{suffix}.png'
        for kind, suffix in (
            ('leftImg8bit', ''),
            ('gtFine', '_labelIds'),
            ('gtFine', '_labelTrainIds'),
        )
        for city in ('train/aachen/aachen', 'val/frankfurt/frankfurt')
        + ('test/berlin/berlin',)
        for name in numbered(f'{city}_@_@', SCENES, (6, range(19, 23)))
    },
    davis2017={
        f'DAVIS/{name}'
        for split in ('train', 'val')
        for name in numbered(
            f'JPEGImages/480p/world_{split}_@/@.jpg',
            (1, (1, 2)),
            (5, range(4)),
        )
        | numbered(
            f'Annotations/480p/world_{split}_@/@.png',
            (1, (1, 2)),
            (5, range(4)),
        )
        | {f'ImageSets/2017/{split}.txt'}
    },
    imagenet={'meta/train.txt', 'meta/val.txt'}
    | {
        f'{split}/{name}/{name}_{number:08d}.JPEG'
        for split in ('train', 'val')
        for number, name in enumerate(('0_striped_disc', '1_checked_square'))
    },
)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_files_are_those_of_the_archive(exported, layout):
    root, _ = exported(layout)
    files = {
        str(path.relative_to(root))
        for path in root.rglob('*')
        if path.is_file()
    }
    assert files == FILES[layout]
    for name in sorted(files)[::7]:
        if name.endswith(('.ppm', '.png')) and 'flow' not in name:
            assert read_image(str(root / name)).shape == (96, 128, 3)


def test_flyingchairs_lists_both_splits(exported):
    root, _ = exported('flyingchairs')
    text = (root / 'FlyingChairs_train_val.txt').read_text()
    assert text == '1\n2\n1\n2\n'


def test_passes_and_cameras_differ(exported):
    root, _ = exported('flyingthings3d')
    name = 'TRAIN/A/0000/{}/0006.png'
    clean, final, right = (
        read_image(str(root / f'frames_{kind}pass' / name.format(view)))
        for kind, view in [
            ('clean', 'left'),
            ('final', 'left'),
            ('clean', 'right'),
        ]
    )
    assert np.abs(clean.astype(int) - final).mean() > 5
    assert np.abs(clean.astype(int) - right).mean() > 20


def test_sintel_masks_are_255_where_occluded_or_invalid(exported):
    root, scene_set = exported('sintel')
    for number, scene in scene_set.scenes('train'):
        for t in range(3):
            name = f'world_{number + 1}/frame_{t + 1:04d}'
            masks = [
                cv2.imread(str(root / 'training' / kind / f'{name}.png'), -1)
                for kind in ('occlusions', 'invalid')
            ]
            expected = np.where(scene.occlusion(t, t + 1), 255, 0)
            np.testing.assert_array_equal(masks[0], expected)
            assert set(np.unique(masks[1])) == {0, 255}
            flow, _ = read_flow(root / 'training' / 'flow' / f'{name}.flo')
            assert (flow[:, masks[1] == 255] == 0).all()


@pytest.mark.parametrize('layout', ['kitti2012', 'kitti2015_multiview'])
def test_kitti_is_sparse_and_noc_misses_the_occluded(exported, layout):
    root, scene_set = exported(layout)
    for number, scene in scene_set.scenes('train'):
        name = f'{number:06d}_10.png'
        (flow, occ), (flow2, noc) = (
            read_flow(root / 'training' / kind / name)
            for kind in ('flow_occ', 'flow_noc')
        )
        assert 0.4 < occ.mean() < 0.6
        hidden = scene.occlusion(0, 1)
        assert hidden.any()
        np.testing.assert_array_equal(noc, occ & ~hidden)
        for x, valid in ((flow, occ), (flow2, noc)):
            error = np.abs(x - scene.flow(0, 1))[:, valid]
            assert error.max() <= 1 / 128 + 1e-6


def test_kitti_2015_has_objects_from_1(exported):
    root, scene_set = exported('kitti2015')
    for number, scene in scene_set.scenes('train'):
        path = root / 'training' / 'obj_map' / f'{number:06d}_10.png'
        objects = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(objects, scene.instance_mask(0))


def test_the_pair_of_the_multi_view_set_is_that_of_the_benchmark(exported):
    (alone, _), (within, _) = (
        exported(name) for name in ('kitti2015', 'kitti2015_multiview')
    )
    for path in (alone / 'training').rglob('*.png'):
        twin = within / path.relative_to(alone)
        assert twin.read_bytes() == path.read_bytes()


def test_seed_decides_and_splits_share_no_scene(tmp_path):
    for name, seed in (('a', 1), ('b', 1), ('c', 2)):
        export('hd1k', tmp_path / name, num_scenes=1, num_frames=2, seed=seed)
    files = [
        {
            path.relative_to(root): path.read_bytes()
            for path in root.rglob('*.png')
        }
        for root in (tmp_path / name for name in 'abc')
    ]
    assert files[0] == files[1]
    assert len(files[0]) == 6
    assert not set(files[0].values()) & set(files[2].values())
    assert len(set(files[0].values())) == 6


def test_a_folder_with_content_is_refused(tmp_path):
    (tmp_path / 'mine.txt').write_text('mine')
    with pytest.raises(FileExistsError, match='empty'):
        export('kitti2012', tmp_path)
    with pytest.raises(FileExistsError):
        export('kitti2012', tmp_path / 'mine.txt')
    assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']
    (tmp_path / 'empty').mkdir()
    export('kitti2012', tmp_path / 'empty', num_scenes=1)
    assert {p.name for p in (tmp_path / 'empty').iterdir()} == {
        'training',
        'testing',
    }


def test_a_failed_export_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(root, scene_set):
        (root / 'data').mkdir()
        (root / 'data' / '00001_img1.ppm').write_bytes(b'P6')
        raise KeyboardInterrupt

    monkeypatch.setitem(LAYOUTS, 'interrupted', Layout(interrupted, 2))
    with pytest.raises(KeyboardInterrupt):
        export('interrupted', tmp_path / 'new' / 'out')
    assert list((tmp_path / 'new').iterdir()) == []


@pytest.mark.parametrize(
    'words, match',
    [
        (dict(layout='kitti'), "'kitti'.* flyingchairs"),
        (dict(num_frames=3), 'kitti2012.*num_frames=3'),
        (dict(num_scenes=0), 'num_scenes.* 0'),
        (dict(layout='sintel', num_frames=1), '2.* 1'),
        (dict(layout='ade20k', num_frames=0), '1.* 0'),
        (dict(layout='davis2017', num_frames=2), '3.* 2'),
    ],
)
def test_what_cannot_be_exported_is_said(tmp_path, words, match):
    words = dict(dict(layout='kitti2012', out_dir=tmp_path / 'out'), **words)
    with pytest.raises(ValueError, match=match):
        export(**words)
    assert not (tmp_path / 'out').exists()


def test_a_world_in_which_nothing_moves(tmp_path):
    words = dict(num_scenes=2, num_frames=2, size=(64, 96))
    export('sintel', tmp_path / 'still', static=1.0, **words)
    folder = tmp_path / 'still/training'
    flows = [read_flow(x)[0] for x in folder.glob('flow/*/*.flo')]
    assert len(flows) == 2
    assert np.abs(flows).max() < 1e-3
    with pytest.raises(ValueError, match=r'camouflage.*1\.5'):
        export('sintel', tmp_path / 'no', camouflage=1.5)
    assert not (tmp_path / 'no').exists()
