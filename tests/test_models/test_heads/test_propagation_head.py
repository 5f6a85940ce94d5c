import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, PixelData

from mcjepa_mm.models.propagation import (
    FeatureReader,
    LabelPropagator,
    feature_grid,
)
from mcjepa_mm.registry import MODELS


@pytest.fixture
def clips():
    """Pyramid, inputs and samples of two clips of three frames."""
    torch.manual_seed(0)
    inputs = torch.randn(2, 3, 3, 64, 80)
    feats = (torch.randn(6, 4, 16, 20), torch.randn(6, 5, 8, 10))
    truth = torch.zeros(2, 3, 64, 80, dtype=torch.uint8)
    truth[0, :, 8:40, 8:40], truth[1, :, 16:, 40:] = 1, 2
    samples = [
        BaseDataElement(
            metainfo=dict(sequence=name, num_frames=3),
            gt_objects=PixelData(data=masks),
        )
        for name, masks in zip('ab', truth)
    ]
    return feats, inputs, samples


def test_gives_a_sample_for_every_frame(clips):
    feats, inputs, samples = clips
    head = MODELS.build(
        dict(type='mcjepa_mm.PropagationHead', propagator=dict(radius=3))
    )
    frames = head.predict(feats, inputs, samples)
    assert [(x.sequence, x.frame_index) for x in frames] == [
        (name, t) for name in 'ab' for t in range(3)
    ]
    grid = feature_grid(feats, (64, 80))
    for clip in (0, 1):
        truth = samples[clip].gt_objects.data
        propagator = LabelPropagator(radius=3)
        propagator.start(grid[3 * clip], truth[0].numpy())
        for t in range(3):
            frame = frames[3 * clip + t]
            assert frame.num_frames == 3
            assert torch.equal(frame.gt_objects.data[0], truth[t])
            expected = truth[0].numpy()
            if t:
                expected = propagator.step(grid[3 * clip + t], (64, 80))
            np.testing.assert_array_equal(
                frame.pred_objects.data[0].numpy(), expected
            )


def test_has_nothing_to_train(clips):
    head = MODELS.build(dict(type='mcjepa_mm.PropagationHead'))
    assert not list(head.parameters())
    with pytest.raises(NotImplementedError, match='leave it out'):
        head.loss(*clips)


def test_every_frame_needs_a_mask(clips):
    feats, inputs, samples = clips
    samples[1].gt_objects = PixelData(data=samples[1].gt_objects.data[:2])
    head = MODELS.build(dict(type='mcjepa_mm.PropagationHead', stride=4))
    with pytest.raises(ValueError, match='b: a clip of 3 frames has 2 masks'):
        head.predict(feats, inputs, samples)


def test_whitens_by_the_first_frame_of_each_clip(clips):
    feats, inputs, samples = clips
    head = MODELS.build(
        dict(
            type='mcjepa_mm.PropagationHead',
            levels='all',
            stride=4,
            whiten='first_frame',
        )
    )
    both = head.predict(feats, inputs, samples)
    for clip in (0, 1):
        reader = FeatureReader(levels='all', stride=4, whiten='first_frame')
        maps = [x[3 * clip : 3 * clip + 3] for x in feats]
        grid = reader.read(maps, (64, 80), [True, False, False])
        propagator = LabelPropagator()
        propagator.start(grid[0], samples[clip].gt_objects.data[0].numpy())
        for t in (1, 2):
            np.testing.assert_array_equal(
                both[3 * clip + t].pred_objects.data[0].numpy(),
                propagator.step(grid[t], (64, 80)),
            )
