import cv2
import numpy as np
import pytest
import torch

from mcjepa_mm.datasets import BadSampleError
from mcjepa_mm.datasets.flow_files import write_flow
from mcjepa_mm.datasets.transforms import (
    LoadFlowAnnotations,
    LoadFlowPair,
    PackFlow,
)
from mcjepa_mm.registry import TRANSFORMS

SIZE = 6, 8


@pytest.fixture
def pair(tmp_path):
    """Paths of a pair with every annotation there is, and what they hold."""
    rng = np.random.default_rng(0)
    held = dict(
        img1=rng.integers(0, 256, (*SIZE, 3), np.uint8),
        img2=rng.integers(0, 256, (*SIZE, 3), np.uint8),
        invalid=rng.random(SIZE) < 0.2,
        occ=rng.random(SIZE) < 0.3,
        flow_fw=rng.normal(0, 5, (2, *SIZE)).astype(np.float32),
        flow_bw=rng.normal(0, 5, (2, *SIZE)).astype(np.float32),
        objects=rng.integers(0, 3, SIZE, np.uint8),
    )
    for name in ('img1', 'img2', 'objects'):
        assert cv2.imwrite(str(tmp_path / f'{name}.png'), held[name])
    for name in ('invalid', 'occ'):
        picture = 255 * held[name].astype(np.uint8)
        assert cv2.imwrite(str(tmp_path / f'{name}.png'), picture)
    write_flow(tmp_path / 'fw.flo', held['flow_fw'])
    write_flow(tmp_path / 'bw.pfm', held['flow_bw'])
    write_flow(tmp_path / 'occ_fw.png', held['flow_fw'], ~held['invalid'])
    visible = ~held['invalid'] & ~held['occ']
    write_flow(tmp_path / 'noc_fw.png', held['flow_fw'], visible)
    dense = dict(
        img1_path='img1.png',
        img2_path='img2.png',
        flow_fw_path='fw.flo',
        flow_bw_path='bw.pfm',
        invalid_path='invalid.png',
        occ_fw_path='occ.png',
    )
    sparse = dict(
        img1_path='img1.png',
        img2_path='img2.png',
        flow_fw_path='occ_fw.png',
        noc_fw_path='noc_fw.png',
        obj_map_path='objects.png',
    )
    dense, sparse = (
        {key: str(tmp_path / name) for key, name in paths.items()}
        for paths in (dense, sparse)
    )
    return dense, sparse, held


def load(paths, **kwargs):
    return LoadFlowAnnotations(**kwargs)(LoadFlowPair()(dict(paths)))


def test_dense_flow_with_sintels_masks(pair):
    dense, _, held = pair
    results = load(dense)
    assert results['sparse'] is False
    for side in ('fw', 'bw'):
        flow = held[f'flow_{side}'].transpose(1, 2, 0)
        np.testing.assert_array_equal(results[f'gt_flow_{side}'], flow)
    np.testing.assert_array_equal(results['gt_valid_fw'], ~held['invalid'])
    np.testing.assert_array_equal(results['gt_valid_bw'], np.ones(SIZE))
    np.testing.assert_array_equal(results['gt_occ_fw'], held['occ'])
    for key in ('gt_flow_fw', 'gt_valid_fw', 'gt_occ_fw'):
        assert results[key].dtype == np.float32


def test_sparse_flow_with_kittis_maps(pair):
    _, sparse, held = pair
    results = load(sparse)
    assert results['sparse'] is True
    valid = ~held['invalid']
    error = results['gt_flow_fw'].transpose(2, 0, 1) - held['flow_fw']
    assert np.abs(error)[:, valid].max() <= 1 / 128 + 1e-6
    np.testing.assert_array_equal(results['gt_valid_fw'], valid)
    np.testing.assert_array_equal(results['gt_occ_fw'], valid & held['occ'])
    np.testing.assert_array_equal(results['gt_fg_fw'], held['objects'] > 0)


@pytest.mark.parametrize(
    'key',
    [
        'img1_path',
        'img2_path',
        'flow_fw_path',
        'flow_bw_path',
        'invalid_path',
        'occ_fw_path',
        'noc_fw_path',
        'obj_map_path',
    ],
)
@pytest.mark.parametrize('damage', ['missing', 'empty', 'truncated', 'size'])
def test_damaged_file_is_named(pair, tmp_path, truncate, key, damage):
    dense, sparse, _ = pair
    paths = dense if key in dense else sparse
    path = tmp_path / paths[key].rsplit('/', 1)[-1]
    wrong = np.zeros((2, 6, 9), np.float32)
    if damage == 'missing':
        path.unlink()
    elif damage == 'empty':
        path.write_bytes(b'')
    elif damage == 'truncated':
        truncate(path)
    elif 'flow' in key or 'noc' in key:
        write_flow(path, wrong)
    else:
        assert cv2.imwrite(str(path), wrong[0].astype(np.uint8))
    with pytest.raises(BadSampleError) as error:
        load(paths)
    assert path.name in str(error.value)
    if damage == 'size':
        assert '6 x 8' in str(error.value) and '6 x 9' in str(error.value)
        if key == 'img1_path':  # either frame may be the wrong one
            return
    assert error.value.filename == str(path)


def test_pack_makes_mmflows_sample(pair):
    from mmflow.structures import FlowDataSample

    dense, sparse, held = pair
    for paths in (dense, sparse):
        packed = PackFlow()(load(paths))
        images = torch.from_numpy(np.stack([held['img1'], held['img2']]))
        assert torch.equal(packed['inputs'], images.permute(0, 3, 1, 2))
        sample = packed['data_samples']
        assert isinstance(sample, FlowDataSample)
        assert sample.img1_path == paths['img1_path']
        assert sample.ori_shape == sample.img_shape == SIZE
        assert sample.gt_flow_fw.data.shape == (2, *SIZE)
        fields = ['gt_flow_fw', 'gt_valid_fw', 'gt_occ_fw']
        fields += ['gt_flow_bw'] if paths is dense else ['gt_fg_fw']
        for field in fields:
            data = sample.get(field).data
            assert data.dtype == torch.float32
            if 'flow' not in field:
                assert data.shape == (1, *SIZE)
    foreground = torch.from_numpy(held['objects'] > 0)
    assert torch.equal(sample.gt_fg_fw.data[0] > 0, foreground)
    assert 'gt_fg_fw' in sample.keys() and 'gt_fg_fw' in sample.cpu()


def test_frames_without_truth(pair):
    paths = {k: pair[0][k] for k in ('img1_path', 'img2_path')}
    sample = PackFlow()(load(dict(paths, flow_fw_path=None)))['data_samples']
    assert list(sample.keys()) == []


@pytest.mark.parametrize('direction', ['horizontal', 'vertical'])
def test_mmflows_flip_goes_on_working(pair, direction):
    dense, _, held = pair
    flip = TRANSFORMS.build(
        dict(type='mmflow.RandomFlip', prob=1.0, direction=direction)
    )
    axis = -1 if direction == 'horizontal' else -2
    sign = np.array([-1, 1] if direction == 'horizontal' else [1, -1])
    results = flip(load(dense))
    sample = PackFlow()(results)['data_samples']
    flow = np.flip(held['flow_fw'], axis) * sign[:, None, None]
    np.testing.assert_array_equal(sample.gt_flow_fw.data, flow)
    assert sample.gt_flow_fw.data.dtype == torch.float32
    occluded = np.flip(held['occ'], axis)
    np.testing.assert_array_equal(sample.gt_occ_fw.data[0], occluded)
    valid = ~np.flip(held['invalid'], axis)
    np.testing.assert_array_equal(sample.gt_valid_fw.data[0], valid)


def test_mmflows_crop_and_validation_go_on_working(pair):
    dense, _, held = pair
    steps = [
        dict(type='mmflow.RandomCrop', crop_size=(4, 5)),
        dict(type='mmflow.Validation', max_flow=6.0),
    ]
    results = load(dense)
    for step in steps:
        results = TRANSFORMS.build(step)(results)
    top, bottom, left, right = results['crop_bbox']
    window = (..., slice(top, bottom), slice(left, right))
    sample = PackFlow()(results)['data_samples']
    flow = held['flow_fw'][window]
    np.testing.assert_array_equal(sample.gt_flow_fw.data, flow)
    valid = ~held['invalid'][window] & (np.abs(flow) < 6).all(0)
    assert 0 < valid.mean() < 1
    np.testing.assert_array_equal(sample.gt_valid_fw.data[0], valid)


@pytest.mark.parametrize(
    'step',
    [
        dict(type='mmflow.RandomCrop', crop_size=(4, 5)),
        dict(type='mmflow.RandomFlip', prob=1.0),
    ],
)
def test_a_mask_that_did_not_move_along_is_an_error(pair, step):
    _, sparse, _ = pair
    step = TRANSFORMS.build(step)
    with pytest.raises(ValueError, match='with_masks=False'):
        PackFlow()(step(load(sparse)))
    PackFlow()(step(load(sparse, with_masks=False)))
