import hashlib

import numpy as np
import pytest
import torch

from mcjepa_mm.datasets.embedded_world import CLASSES, EmbeddedWorld
from mcjepa_mm.evaluation.functional import knn_accuracy

FINGERPRINT = """
import hashlib
from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
scene = EmbeddedWorld((64, 80), seed=(1, 2)).scene(5)
data = scene.frame(0).tobytes() + scene.flow(0, 1).tobytes()
print(hashlib.sha256(data + scene.occlusion(1, 0).tobytes()).hexdigest())
"""


def test_scene_depends_on_seed_and_index_alone(run):
    np.random.seed(0)
    scene = EmbeddedWorld((64, 80), seed=(1, 2)).scene(5)
    # Order of the questions does not matter either.
    data = scene.occlusion(1, 0).tobytes()
    data = scene.frame(0).tobytes() + scene.flow(0, 1).tobytes() + data
    other = run('python', '-c', FINGERPRINT)
    assert hashlib.sha256(data).hexdigest() == other.stdout.strip()

    def frame(seed, index):
        return EmbeddedWorld((64, 80), seed=seed).scene(index).frame(0)

    assert (frame((1, 2), 6) != frame((1, 2), 5)).any()
    assert (frame((1, 3), 5) != frame((1, 2), 5)).any()


def test_masks_follow_the_objects_over_a_clip():
    world = EmbeddedWorld(seed=2, num_objects=(3, 3))
    scene = world.scene(0)
    labels = [surface.label for surface in scene.objects]
    for t in (0, 4, 9):
        instances = scene.instance_mask(t)
        assert instances.dtype == np.uint8 and instances.max() <= 3
        expected = np.array([0, *labels])[instances]
        np.testing.assert_array_equal(scene.class_mask(t), expected)
    assert (scene.instance_mask(0) != scene.instance_mask(9)).any()
    # Motion is smooth: a clip leaves no object behind for good.
    assert set(np.unique(scene.instance_mask(32))) == set(
        np.unique(scene.instance_mask(0))
    )


def test_displacements_stay_within_their_limits():
    world = EmbeddedWorld(seed=4, max_displacement=10, max_background=3)
    epe, longest = [], 0
    for index in range(30):
        scene = world.scene(index)
        epe.append(np.hypot(*scene.flow(0, 1)).mean())
        for surface in scene.objects:
            way = surface.motion.affine(1) - surface.motion.affine(0)
            longest = max(longest, np.hypot(*way[:2, 2]))
    # The curve of a path adds half of its bend, some tenths of a pixel.
    assert 7 < longest < 10 + 1
    assert 2 < np.mean(epe) < 6


def test_lengths_scale_with_the_frame():
    small = EmbeddedWorld((128, 128), seed=1).scene(0)
    large = EmbeddedWorld((256, 256), seed=1).scene(0)
    small, large = (np.hypot(*s.flow(0, 1)).mean() for s in (small, large))
    assert large / small == pytest.approx(2, rel=0.02)


def test_every_class_occurs_and_colour_does_not_tell_it():
    world = EmbeddedWorld((64, 64), seed=9)
    assert len(set(world.classes)) == len(CLASSES) == 10
    labels = np.arange(300) % 10
    colours = []
    for index, label in enumerate(labels):
        scene = world.object_image(index, label)
        mask = scene.class_mask(0) == label + 1
        assert mask.mean() > 0.05
        # Also the object's own colour, cut out by its mask.
        frame = scene.frame(0)
        colours.append(
            np.concatenate([frame.mean((0, 1)), frame[mask].mean(0)])
        )
    features = torch.tensor(np.array(colours) - np.mean(colours, 0))
    accuracy = knn_accuracy(features, torch.tensor(labels), k=10)
    assert accuracy < 0.25


def test_camouflage_is_of_the_grounds_colours_and_contrast():
    """Mean and deviation over many objects, inside and outside of them."""
    world = EmbeddedWorld(seed=3, camouflage=1.0)
    inside, outside = [], []
    for index in range(40):
        scene = world.scene(index)
        frame, mask = scene.frame(0) / 255, scene.instance_mask(0) > 0
        if not 0.1 < mask.mean() < 0.9:
            continue
        for side, pixels in ((inside, frame[mask]), (outside, frame[~mask])):
            side.append([*pixels.mean(0), *pixels.std(0)])
    difference = np.array(inside) - np.array(outside)
    error = difference.std(0) / len(difference) ** 0.5
    assert (np.abs(difference.mean(0)) < 3 * error + 0.005).all()
    # a window of noise is never as it is on average: compare with easy objects
    easy = EmbeddedWorld(seed=3).scene(0)
    mask = easy.instance_mask(0) > 0
    frame = easy.frame(0) / 255
    apart = np.abs(frame[mask].mean(0) - frame[~mask].mean(0)).max()
    assert apart > np.abs(difference).mean()


def test_distractors_have_a_pattern_and_an_outline_of_two_classes():
    world = EmbeddedWorld(seed=1, distractors=1.0)
    outlines = {outline: pattern for _, outline, pattern in CLASSES}
    for index in range(10):
        for surface in world.scene(index).objects:
            assert surface.label == 0
            assert surface.texture._pattern is not outlines[surface.outline]


def test_static_scenes_do_not_move():
    scene = EmbeddedWorld((64, 64), seed=1, static=1.0).scene(0)
    assert np.abs(scene.flow(0, 3)).max() < 1e-9
    assert not scene.occlusion(0, 3).any()
    np.testing.assert_array_equal(scene.frame(0), scene.frame(3))
    world = EmbeddedWorld((16, 16), seed=2, static=0.3)
    shares = [
        np.abs(world.scene(i).flow(0, 1)).max() < 1e-9 for i in range(100)
    ]
    assert 0.15 < np.mean(shares) < 0.45


def test_pictures_by_the_law_of_scenes():
    world = EmbeddedWorld(seed=5, scene_law=True, camouflage=0.5)
    angles = []
    for index in range(40):
        scene = world.object_image(index, label=3)
        first, *others = scene.objects
        assert first.label == 4 and not first.camouflaged
        assert 18 <= first.radius <= 36
        assert not any(surface.label for surface in others)
        angles.append(first.motion.angle)
    assert max(angles) > np.pi > min(angles)


def test_a_world_without_these_options_is_as_it_was():
    """The numbers are of the version before they came."""
    world = EmbeddedWorld((64, 64), seed=4)
    scene, still = world.scene(2), world.object_image(3, 1)
    values = [*scene.objects[0].motion.centre, *still.objects[0].motion.centre]
    before = [52.251704525516985, 12.924347706860704]
    before += [23.737689583195234, 35.62817504190548]
    np.testing.assert_allclose(values, before, rtol=1e-12)


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(size=(8, 128)), r'size=\(8, 128\)'),
        (dict(num_classes=11), 'num_classes.* 11'),
        (dict(num_objects=(5, 2)), r'\(5, 2\)'),
        (dict(camouflage=1.5), 'camouflage.* 1.5'),
        (dict(distractors=0.5, num_classes=1), 'num_classes=1'),
    ],
)
def test_wrong_arguments_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        EmbeddedWorld(**kwargs)
