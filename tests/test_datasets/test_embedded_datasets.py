import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate
from mmengine.structures import BaseDataElement

from mcjepa_mm.datasets import EmbeddedImages, EmbeddedPairs
from mcjepa_mm.datasets.crops import draw_corners
from mcjepa_mm.models.flow import warp
from mcjepa_mm.registry import DATASETS


def test_pair_holds_frames_and_ground_truth():
    dataset = DATASETS.build(
        dict(type='EmbeddedPairs', length=4, size=(64, 96), seed=3)
    )
    sample = dataset[2]
    scene = dataset.world.scene(2)
    assert sample['inputs'].shape == (2, 3, 64, 96)
    assert sample['inputs'].dtype == torch.uint8
    for t in (0, 1):
        frame = sample['inputs'][t].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(frame, scene.frame(t))
    truth = sample['data_samples']
    assert isinstance(truth, BaseDataElement) and truth.sample_idx == 2
    for name, t, t2 in (('fw', 0, 1), ('bw', 1, 0)):
        flow = truth.get(f'gt_flow_{name}').data
        assert flow.shape == (2, 64, 96) and flow.dtype == torch.float32
        np.testing.assert_array_equal(flow, scene.flow(t, t2))
        occlusion = truth.get(f'gt_occ_{name}').data
        assert occlusion.shape == (1, 64, 96)
        np.testing.assert_array_equal(occlusion[0], scene.occlusion(t, t2))

    batch = default_collate([dataset[0], dataset[1]])
    assert batch['inputs'].shape == (2, 2, 3, 64, 96)
    assert len(batch['data_samples']) == 2
    bare = EmbeddedPairs(4, size=(64, 96), seed=3, with_gt=False)[2]
    assert 'gt_flow_fw' not in bare['data_samples']
    assert torch.equal(bare['inputs'], sample['inputs'])
    with pytest.raises(IndexError, match='4'):
        dataset[4]


def test_windows_apart_have_the_flow_between_them():
    whole = EmbeddedPairs(6, size=(80, 96), seed=3)
    dataset = EmbeddedPairs(
        6, size=(80, 96), seed=3, crop_size=(48, 64), max_offset=20
    )
    np.random.seed(0)
    longest = 0.0
    for i in range(6):
        frames, truth = whole[i]['inputs'], whole[i]['data_samples']
        state = np.random.get_state()
        sample = dataset[i]
        np.random.set_state(state)
        corners = draw_corners((80, 96), (48, 64), max_offset=20)
        offset = np.subtract(*corners)[::-1]
        assert (abs(offset) <= 20).all()
        for t, (top, left) in enumerate(corners):
            window = frames[t, :, top : top + 48, left : left + 64]
            assert torch.equal(sample['inputs'][t], window)
        (top, left), here = corners[0], sample['data_samples']
        flow = here.gt_flow_fw.data
        # the pixel (5, 7) of the window, by hand
        expected = truth.gt_flow_fw.data[:, top + 7, left + 5] + offset
        np.testing.assert_allclose(flow[:, 7, 5], expected, rtol=1e-6)
        # the other window, sampled there, shows the same where it is seen
        first, second = sample['inputs'].float()
        seen = here.gt_occ_fw.data == 0
        gap = (warp(second[None], flow[None])[0] - first).abs().mean(0)
        assert gap[seen[0]].mean() < 4
        longest = max(longest, flow.norm(dim=0).max().item())
    assert longest > 20


def test_bad_windows_are_refused():
    with pytest.raises(ValueError, match='crop_size'):
        EmbeddedPairs(1, max_offset=4)
    with pytest.raises(ValueError, match='frames'):
        EmbeddedPairs(1, size=(64, 64), crop_size=(64, 96))


def test_image_has_the_form_that_mmpretrain_loads():
    dataset = EmbeddedImages(20, size=(48, 64), num_classes=5)
    results = dataset[7]
    image = results['img']
    assert image.shape == (48, 64, 3) and image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert results['ori_shape'] == results['img_shape'] == (48, 64)
    assert results['gt_label'] == 7 % 5 and results['sample_idx'] == 7
    # BGR, as OpenCV loads
    rgb = dataset.world.object_image(7, 2).frame(0)
    np.testing.assert_array_equal(image[..., ::-1], rgb)
    assert len(dataset.metainfo['classes']) == 5


def test_cached_pictures_are_the_same_and_stay_clean():
    cached = EmbeddedImages(4, size=(16, 16), cache=True)
    first = cached[2]['img'].copy()
    cached[2]['img'][:] = 0  # a transform may write into its input
    np.testing.assert_array_equal(cached[2]['img'], first)
    np.testing.assert_array_equal(
        first, EmbeddedImages(4, size=(16, 16))[2]['img']
    )
    assert not np.array_equal(cached[3]['img'], first)
