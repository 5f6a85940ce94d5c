"""Real loaders on real files: every pair is t and t + 1 of one clip.

Which scene and time a file shows is told by its pixels and not by its name,
so that a wrong name, order or join cannot agree with itself.
"""

import numpy as np
import pytest

from mcjepa_mm.datasets.embedded_world.export.flow import final_pass
from mcjepa_mm.datasets.transforms import (
    LoadFlowAnnotations,
    LoadFlowPair,
    read_image,
)
from mcjepa_mm.registry import DATASETS

# layout, data set, arguments
TRAIN = [
    ('flyingchairs', 'FlyingChairs', {}),
    ('flyingthings3d', 'FlyingThings3D', dict(scene='left')),
    ('flyingthings3d', 'FlyingThings3D', dict(scene='right')),
    ('flyingthings3d', 'FlyingThings3D', dict(pass_style='final')),
    ('flyingthings3d', 'FlyingThings3D', dict(double=True)),
    ('sintel', 'Sintel', dict(pass_style='clean')),
    ('sintel', 'Sintel', dict(pass_style='final')),
    ('sintel', 'Sintel', dict(scene='world_2')),
    ('kitti2012', 'KITTI2012', {}),
    ('kitti2012_multiview', 'KITTI2012', {}),
    ('kitti2015', 'KITTI2015', {}),
    ('kitti2015_multiview', 'KITTI2015', {}),
    ('hd1k', 'HD1K', {}),
]
LENGTHS = dict(FlyingChairs=2, KITTI2012=2, KITTI2015=2, Sintel=6, HD1K=6)
SPARSE = ('KITTI2012', 'KITTI2015', 'HD1K')


def build(scope, name, root, **kwargs):
    kwargs = dict(kwargs, type=f'{scope}.{name}', data_root=str(root))
    if name == 'FlyingChairs' and scope == 'mmflow':
        kwargs['split_file'] = str(root / 'FlyingChairs_train_val.txt')
    return DATASETS.build(kwargs)


def entries(dataset):
    return [dataset.get_data_info(i) for i in range(len(dataset))]


class Oracle:
    """Says what is seen in a frame: its scene and time."""

    def __init__(self, stage, split):
        self.scenes = [stage.world(split).scene(i) for i in range(4)]
        self.shown = {}
        for number, scene in enumerate(self.scenes):
            for t in range(-10, 11):
                frame = scene.frame(t)
                self.shown[frame.tobytes()] = number, t, 'clean'
                self.shown[final_pass(frame).tobytes()] = number, t, 'final'

    def __call__(self, path):
        return self.shown[read_image(path, 'rgb').tobytes()]


@pytest.fixture(scope='module')
def oracle(exported):
    done = {}

    def get(layout, split='train'):
        if (layout, split) not in done:
            done[layout, split] = Oracle(exported(layout)[1], split)
        return done[layout, split]

    return get


def check(entry, oracle, flow_fw, valid, flow_bw=None, step=1):
    """Compare an entry's images and (H, W, 2) flows with the generator."""
    number, t, kind = oracle(entry['img1_path'])
    assert oracle(entry['img2_path']) == (number, t + step, kind)
    scene = oracle.scenes[number]
    # 1/64 pixel is KITTI's step; the others hold float32
    tolerance = 1 / 128 + 1e-6 if entry['flow_fw_path'][-3:] == 'png' else 0
    expected = scene.flow(t, t + step).transpose(1, 2, 0)
    assert np.abs(flow_fw - expected)[valid].max() <= tolerance
    assert np.abs(expected[valid]).max() > 0.5
    if flow_bw is not None:
        expected = scene.flow(t + step, t).transpose(1, 2, 0)
        np.testing.assert_array_equal(flow_bw, expected)
    return number, t, kind


@pytest.mark.parametrize('layout, name, kwargs', TRAIN)
def test_our_data_set_and_loader_get_the_truth(
    exported, oracle, layout, name, kwargs
):
    root, _ = exported(layout)
    ours = build('mcjepa_mm', name, root, **kwargs)
    listed = entries(ours)
    for place, entry in enumerate(listed):
        loaded = LoadFlowAnnotations()(LoadFlowPair()(dict(entry)))
        valid = loaded['gt_valid_fw'] > 0
        assert loaded['sparse'] == (name in SPARSE)
        backward = kwargs.get('double') and place >= len(listed) // 2
        number, t, _ = check(
            entry,
            oracle(layout),
            loaded['gt_flow_fw'],
            valid,
            loaded.get('gt_flow_bw'),
            -1 if backward else 1,
        )
        scene = oracle(layout).scenes[number]
        hidden = scene.occlusion(t, t + 1)
        if name == 'Sintel':
            np.testing.assert_array_equal(loaded['gt_occ_fw'], hidden)
            assert 0.02 < 1 - valid.mean() < 0.04
        if name.startswith('KITTI'):
            np.testing.assert_array_equal(
                loaded['gt_occ_fw'], hidden * loaded['gt_valid_fw']
            )
        assert ('gt_fg_fw' in loaded) == (name == 'KITTI2015')
        if name == 'KITTI2015':
            objects = scene.instance_mask(t) > 0
            np.testing.assert_array_equal(loaded['gt_fg_fw'], objects)


@pytest.mark.parametrize('layout, name, kwargs', TRAIN)
def test_both_list_the_same_pairs_of_a_whole_archive(
    exported, layout, name, kwargs
):
    root, _ = exported(layout)
    ours, theirs = (
        entries(build(scope, name, root, **kwargs))
        for scope in ('mcjepa_mm', 'mmflow')
    )
    pairs = [
        {
            tuple(entry.get(key) for key in theirs[0] if key != 'sample_idx')
            for entry in listed
        }
        for listed in (ours, theirs)
    ]
    assert pairs[0] == pairs[1]
    assert len(ours) == len(theirs) == len(pairs[0])
    if name in LENGTHS and not kwargs.get('scene'):
        assert len(ours) == LENGTHS[name]
    # in an order that the file system has no part in
    paths = [entry['img1_path'] for entry in ours]
    assert paths == sorted(paths) or name == 'FlyingThings3D'


@pytest.mark.parametrize(
    'layout, name, kwargs, split, length',
    [
        ('flyingchairs', 'FlyingChairs', {}, 'val', 2),
        ('flyingthings3d', 'FlyingThings3D', {}, 'test', 12),
        ('sintel', 'Sintel', dict(pass_style='final'), 'test', 6),
        ('kitti2012_multiview', 'KITTI2012', {}, 'test', 2),
        ('kitti2015', 'KITTI2015', {}, 'test', 2),
        ('hd1k', 'HD1K', {}, 'test', 2),
    ],
)
def test_test_mode_lists_the_other_split(
    exported, oracle, layout, name, kwargs, split, length
):
    root, _ = exported(layout)
    dataset = build('mcjepa_mm', name, root, test_mode=True, **kwargs)
    listed = entries(dataset)
    assert len(listed) == length
    see = oracle(layout, split)
    for entry in listed:
        number, t, kind = see(entry['img1_path'])
        assert see(entry['img2_path']) == (number, t + 1, kind)
        loaded = LoadFlowAnnotations()(LoadFlowPair()(dict(entry)))
        labelled = name.startswith('Flying')
        assert ('gt_flow_fw' in loaded) == labelled
        if labelled:
            expected = see.scenes[number].flow(t, t + 1).transpose(1, 2, 0)
            np.testing.assert_array_equal(loaded['gt_flow_fw'], expected)
