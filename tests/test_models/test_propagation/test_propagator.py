import numpy as np
import pytest
import torch
from benchmarks.plain_propagation import plain_masks
from mmengine.logging import MMLogger

from mcjepa_mm.models.propagation import (
    LabelPropagator,
    labels_to_mask,
    mask_to_labels,
    propagate_labels,
)


def follow(propagator, feats, mask, image_size):
    propagator.start(feats[0], mask)
    return [propagator.step(x, image_size) for x in feats[1:]]


@pytest.mark.parametrize(
    'size, options',
    [
        ((20, 26), dict()),
        ((20, 26), dict(radius=3)),
        ((31, 14), dict(radius=5, topk=10, temperature=0.05)),
        ((24, 24), dict(context_frames=2, topk=1)),
        ((24, 24), dict(context_frames=20, radius=4, temperature=0.3)),
    ],
)
def test_masks_are_those_of_the_plain_implementation(
    drifting_feats, first_mask, size, options
):
    feats = drifting_feats(11, size)
    mask = first_mask(size)
    image_size = tuple(8 * side for side in size)
    expected = plain_masks(feats, mask, image_size, **options)
    found = follow(LabelPropagator(**options), feats, mask, image_size)
    assert len(found) == len(expected) == 10
    for ours, plain in zip(found, expected):
        np.testing.assert_array_equal(ours, plain)
    # something was followed, and it moved
    assert set(np.unique(found[-1])) == {0, 2, 4}
    assert (found[-1] != mask).any()


def test_without_context_only_the_first_frame_counts(
    drifting_feats, first_mask
):
    feats, mask = drifting_feats(4), first_mask()
    image_size = (160, 208)
    propagator = LabelPropagator(context_frames=0)
    last = follow(propagator, feats, mask, image_size)[-1]
    (alone,) = follow(propagator, [feats[0], feats[3]], mask, image_size)
    np.testing.assert_array_equal(last, alone)


def test_a_new_video_forgets_the_one_before(drifting_feats, first_mask):
    feats, mask = drifting_feats(5), first_mask()
    propagator = LabelPropagator()
    before = follow(propagator, feats, mask, (160, 208))
    follow(propagator, drifting_feats(3, (9, 9), 4), mask, (72, 72))
    after = follow(propagator, feats, mask, (160, 208))
    np.testing.assert_array_equal(before, after)


def test_an_object_without_a_cell_is_named(drifting_feats, monkeypatch):
    told = []
    monkeypatch.setattr(
        MMLogger.get_current_instance(),
        'callHandlers',
        lambda record: told.append(record.getMessage()),
    )
    mask = np.zeros((160, 208), np.uint8)
    mask[8:40, 8:40], mask[0, 0] = 1, 6
    LabelPropagator().start(drifting_feats(1)[0], mask)
    assert len(told) == 1 and 'objects [6] ' in told[0]


def test_bad_input(drifting_feats, first_mask):
    feats = drifting_feats(2)
    with pytest.raises(RuntimeError, match='start'):
        LabelPropagator().step(feats[0], (160, 208))
    propagator = LabelPropagator()
    propagator.start(feats[0], first_mask())
    with pytest.raises(ValueError, match=r'one size: .*\(20, 26, 16\)'):
        propagator.step(feats[1][:, 1:], (160, 200))
    for name, value in dict(
        topk=0, temperature=0, radius=-1, context_frames=-1, max_memory=0
    ).items():
        with pytest.raises(ValueError, match=name):
            LabelPropagator(**{name: value})


def test_objects_that_begin_later(drifting_feats, first_mask):
    """As if the frame in which they begin were a second first one."""
    feats, mask = drifting_feats(5), first_mask()
    size, grid = (160, 208), (20, 26)
    later = np.zeros_like(mask)
    later[100:150, 20:60] = 3
    propagator = LabelPropagator(context_frames=1)
    propagator.start(feats[0], mask)
    propagator.step(feats[1], size)
    given = propagator.step(feats[2], size, later)
    assert (given[later == 3] == 3).all()
    found = [propagator.step(x, size) for x in feats[3:]]

    # the same by hand: labels 0, 2, 4, 3, of which the last begins at 2
    labels, _ = mask_to_labels(mask, grid)
    begun, _ = mask_to_labels(later, grid)
    keys, known = [feats[0]], [labels]
    for index in (1, 2):
        soft = propagate_labels(feats[index], keys, known)
        keys, known = [feats[0], feats[index]], [labels, soft]
    begun = begun[..., 1:]
    second = torch.cat([soft * (1 - begun), begun], dim=2)
    none = torch.zeros(*grid, 1)
    fixed = [torch.cat([labels, none], dim=2), second]
    # the last frame before the one in which it begins
    soft = propagate_labels(feats[1], [feats[0]], [labels])
    last = feats[1], torch.cat([soft, none], dim=2)
    numbers = np.array([0, 2, 4, 3], np.uint8)
    for index, mask_found in zip((3, 4), found):
        soft = propagate_labels(
            feats[index], [feats[0], feats[2], last[0]], [*fixed, last[1]]
        )
        expected = labels_to_mask(soft, numbers, size, mask.shape)
        np.testing.assert_array_equal(mask_found, expected)
        last = feats[index], soft
    assert 3 in found[-1]
