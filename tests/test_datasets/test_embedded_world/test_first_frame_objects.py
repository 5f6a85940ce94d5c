import numpy as np
import pytest

from mcjepa_mm.datasets.embedded_world import (
    EmbeddedWorld,
    Motion,
    Scene,
    Surface,
    masked_scene,
)
from mcjepa_mm.datasets.embedded_world.shapes import disc


class ToyWorld:
    """Scenes by their index: a disc at x, of a radius, for each pair."""

    unit, num_objects, radius = 1.0, (0, 3), (1, 9)

    def __init__(self, scenes):
        self.scenes = scenes

    def scene(self, index):
        def grey(points):
            return np.full_like(points, 90)

        objects = [
            Surface(Motion((x, 64), velocity=(speed, 0)), grey, disc, radius)
            for x, radius, speed in self.scenes.get(index, ())
        ]
        ground = Surface(Motion((64, 64)), grey)
        return Scene((128, 128), ground, objects)


def test_objects_of_the_first_frame_are_numbered_from_the_front():
    # out of view, large, too small, large, hidden by the one before
    discs = [(-30, 9, 20), (30, 9, 1), (60, 4, 1), (90, 9, 1), (90, 8, 15)]
    clip = masked_scene(ToyWorld({3: discs}), 3)
    first, later = clip.mask(0), clip.mask(2)
    assert first.dtype == np.uint8 and first.shape == (128, 128)
    assert first[64, [0, 30, 60, 90]].tolist() == [0, 1, 0, 2]
    # what comes into view is background, as it is in DAVIS
    instances = clip.scene.instance_mask(2)
    assert instances[64, [9, 32, 62, 92, 118]].tolist() == [1, 2, 3, 4, 5]
    assert later[64, [9, 32, 62, 92, 118]].tolist() == [0, 1, 0, 2, 0]
    assert set(np.unique(later)) == {0, 1, 2}


def test_smallest_object():
    # a disc of radius 4.5 around a pixel covers 69 of them, 4.4 covers 61
    shown = masked_scene(ToyWorld({0: [(30, 4.4, 0), (60, 4.5, 0)]}), 0)
    assert np.bincount(shown.mask(0).ravel())[1:].tolist() == [69]
    assert (shown.scene.instance_mask(0) == 1).sum() == 61
    # in a frame of half the size a quarter of the 64 pixels is enough
    world = ToyWorld({0: [(30, 2.2, 0), (60, 2.3, 0)]})
    world.unit = 0.5
    assert np.bincount(masked_scene(world, 0).mask(0).ravel())[1:] == [21]


def test_a_scene_without_objects_is_replaced_by_one_of_its_own():
    one, other = [(50, 9, 0)], [(70, 9, 0)]
    world = ToyWorld({1: one, 10**6: other})
    assert masked_scene(world, 1).mask(0)[64, 50] == 1
    assert masked_scene(world, 0).mask(0)[64, 70] == 1
    with pytest.raises(ValueError, match=r'64 pixels .*\(0, 3\)'):
        masked_scene(world, 2)


def test_objects_stay_in_view_and_move():
    # what DAVIS's layout and EmbeddedClips write: t in whole frames
    world = EmbeddedWorld((64, 96), seed=(0, 2, 1))
    areas, still = [], []
    for index in range(6):
        clip = masked_scene(world, index)
        masks = np.stack([clip.mask(t) for t in range(12)])
        for number in range(1, masks[0].max() + 1):
            shown = masks == number
            areas += (shown.sum((1, 2)) >= 4).tolist()
            both = (shown[0] & shown[1:]).sum((1, 2))
            still += (both / (shown[0] | shown[1:]).sum((1, 2))).tolist()
    assert np.mean(areas) > 0.95
    assert 0.1 < np.mean(still) < 0.6
