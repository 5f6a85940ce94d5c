import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate
from mmengine.structures import BaseDataElement

from mcjepa_mm.datasets import EmbeddedClips, EmbeddedImages, EmbeddedPairs
from mcjepa_mm.datasets.embedded_world import masked_scene
from mcjepa_mm.datasets.embedded_world.export import SceneSet
from mcjepa_mm.registry import DATASETS


def test_clip_holds_frames_and_masks():
    dataset = DATASETS.build(
        dict(type='EmbeddedClips', length=4, size=(64, 96), num_frames=5)
    )
    sample = dataset[2]
    inputs, truth = sample['inputs'], sample['data_samples']
    assert inputs.shape == (5, 3, 64, 96) and inputs.dtype == torch.uint8
    assert type(truth) is BaseDataElement
    assert truth.metainfo == dict(sequence='world_val_3', num_frames=5)
    masks = truth.gt_objects.data
    assert masks.shape == (5, 64, 96) and masks.dtype == torch.uint8
    scene = dataset.world.scene(2)
    first = scene.instance_mask(0)
    for t in range(5):
        frame = inputs[t].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(frame, scene.frame(t))
    # 64 pixels where the shorter side has 128
    shown = [n for n in range(1, 9) if (first == n).sum() >= 16]
    assert masks[0].max() == len(shown) > 1
    for t in range(5):
        instances = scene.instance_mask(t)
        for number, instance in enumerate(shown, 1):
            np.testing.assert_array_equal(
                masks[t] == number, instances == instance
            )
    batch = default_collate([dataset[0], dataset[1]])
    assert batch['inputs'].shape == (2, 5, 3, 64, 96)
    with pytest.raises(IndexError, match='4'):
        dataset[4]


def test_splits_kinds_and_seeds_share_no_clip():
    seen = set()
    for split in ('train', 'val', 'test'):
        for seed in (0, 1):
            words = dict(split=split, seed=seed, size=(32, 32))
            clips = EmbeddedClips(2, num_frames=3, **words)
            pairs = EmbeddedPairs(2, with_gt=False, **words)
            images = EmbeddedImages(2, **words)
            scene_set = SceneSet(2, 3, (32, 32), seed).world(split)
            for i in range(2):
                seen.add(clips[i]['inputs'][0].numpy().tobytes())
                seen.add(pairs[i]['inputs'][0].numpy().tobytes())
                still = images.world.scene(i)
                for scene in (masked_scene(scene_set, i).scene, still):
                    seen.add(scene.frame(0).transpose(2, 0, 1).tobytes())
    assert len(seen) == 3 * 2 * 4 * 2


def test_what_makes_no_clip():
    with pytest.raises(ValueError, match='num_frames'):
        EmbeddedClips(3, num_frames=2)
    with pytest.raises(ValueError, match='held-out'):
        EmbeddedClips(3, split='held-out')
    with pytest.raises(ValueError, match='100 scenes'):
        EmbeddedClips(3, size=(16, 16), num_objects=(0, 0))[0]
