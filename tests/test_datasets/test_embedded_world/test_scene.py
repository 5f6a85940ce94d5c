import numpy as np
import pytest

from mcjepa_mm.datasets.embedded_world import (
    EmbeddedWorld,
    Motion,
    Scene,
    Surface,
)


def bilinear(image, x, y):
    """Sample (H, W, C) at real positions that lie inside of it."""
    height, width = image.shape[:2]
    left = np.clip(np.floor(x), 0, width - 2).astype(int)
    top = np.clip(np.floor(y), 0, height - 2).astype(int)
    a, b = (x - left)[..., None], (y - top)[..., None]
    upper = (1 - a) * image[top, left] + a * image[top, left + 1]
    lower = (1 - a) * image[top + 1, left] + a * image[top + 1, left + 1]
    return (1 - b) * upper + b * lower


def positions(flow):
    _, height, width = flow.shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    return x + flow[0], y + flow[1]


def pure_cells(mask, x, y):
    """Whether the four pixels around a position show one surface, and it."""
    height, width = mask.shape
    left = np.clip(np.floor(x), 0, width - 2).astype(int)
    top = np.clip(np.floor(y), 0, height - 2).astype(int)
    four = np.stack([mask[top + i, left + j] for i in (0, 1) for j in (0, 1)])
    return (four == four[0]).all(0), four[0]


def edges(mask):
    """Pixels with another surface among the eight around them."""
    height, width = mask.shape
    wide = np.pad(mask, 1, mode='edge')
    around = [
        wide[i : i + height, j : j + width] for i in range(3) for j in range(3)
    ]
    return (np.stack(around) != mask).any(0)


@pytest.mark.parametrize('size', [(128, 128), (96, 160)])
@pytest.mark.parametrize('times', [(0, 1), (1, 0), (3, 5)])
def test_warped_frame_equals_the_other_where_both_see_the_surface(size, times):
    t, t2 = times
    world = EmbeddedWorld(size, seed=7)
    errors, with_edges = [], []
    for index in range(6):
        scene = world.scene(index)
        x, y = positions(scene.flow(t, t2))
        warped = bilinear(scene.frame(t2).astype(float), x, y)
        error = np.abs(warped - scene.frame(t)).mean(-1)
        visible = ~scene.occlusion(t, t2)
        # An edge pixel is a mixture of two surfaces, in either frame.
        mixed = edges(scene.instance_mask(t2))[..., None].astype(float)
        whole = visible & ~edges(scene.instance_mask(t))
        whole &= bilinear(mixed, x, y)[..., 0] == 0
        assert whole.mean() > 0.4
        errors.append(error[whole].mean())
        with_edges.append(error[visible].mean())
    assert max(errors) < 2
    assert np.mean(with_edges) < 2.5
    # The ground truth, not the calmness of the pictures, makes it small.
    assert np.abs(scene.frame(t2) - scene.frame(t).astype(float)).mean() > 10


def test_a_camouflaged_scene_is_as_exact():
    world = EmbeddedWorld(
        seed=7, camouflage=1.0, max_displacement=20, max_background=12
    )
    for index in range(4):
        scene = world.scene(index)
        assert all(surface.camouflaged for surface in scene.objects)
        x, y = positions(scene.flow(0, 1))
        warped = bilinear(scene.frame(1).astype(float), x, y)
        error = np.abs(warped - scene.frame(0)).mean(-1)
        assert error[~scene.occlusion(0, 1)].mean() < 2.5


def test_forward_and_backward_flow_cancel_where_visible():
    world = EmbeddedWorld(seed=3)
    for index in range(4):
        scene = world.scene(index)
        forward, backward = scene.flow(0, 1), scene.flow(1, 0)
        x, y = positions(forward)
        same, seen = pure_cells(scene.instance_mask(1), x, y)
        check = same & ~scene.occlusion(0, 1)
        check &= seen == scene.instance_mask(0)
        back = bilinear(backward.transpose(1, 2, 0).astype(float), x, y)
        total = forward.transpose(1, 2, 0) + back
        assert check.mean() > 0.5
        assert np.abs(total[check]).max() < 1e-3


def test_occlusion_agrees_with_the_rendered_masks():
    world = EmbeddedWorld(seed=11, num_objects=(6, 9))
    checked = 0
    for index in range(6):
        scene = world.scene(index)
        for t, t2 in ((0, 1), (1, 0), (2, 6)):
            x, y = positions(scene.flow(t, t2))
            height, width = scene.size
            inside = (x >= 0) & (x <= width - 1)
            inside &= (y >= 0) & (y <= height - 1)
            occluded = scene.occlusion(t, t2)
            assert occluded[~inside & ((x < -0.01) | (y < -0.01))].all()
            same, seen = pure_cells(scene.instance_mask(t2), x, y)
            check = inside & same
            expected = seen != scene.instance_mask(t)
            # A cell of four pixels may still hide a thin tip of an outline.
            wrong = (occluded != expected) & check
            assert wrong.sum() <= 0.001 * check.sum()
            checked += (expected & check).sum()
    assert checked > 1000


def flat(colour):
    """Texture of one colour."""
    return lambda points: np.full_like(points, colour)


def box(x, y):
    """Square inside of the unit disc."""
    return np.maximum(np.abs(x), np.abs(y)) * np.sqrt(2) - 1


def test_square_over_a_still_background():
    # 8 x 8 pixels, x 7-14 and y 12-19 at t = 0, moves by (5, -3).
    path = Motion(centre=(10.5, 15.5), velocity=(5.0, -3.0), rate=1e-6)
    square = Surface(path, flat(200), box, radius=4.2 * 2**0.5, label=4)
    ground = Surface(Motion(centre=(0, 0)), flat(50))
    scene = Scene((32, 32), ground, [square])

    before = np.zeros((32, 32), bool)
    before[12:20, 7:15] = True
    after = np.zeros((32, 32), bool)
    after[9:17, 12:20] = True
    np.testing.assert_array_equal(scene.instance_mask(0), before)
    np.testing.assert_array_equal(scene.class_mask(1), 4 * after)

    forward = np.where(before, [[[5]], [[-3]]], 0)
    backward = np.where(after, [[[-5]], [[3]]], 0)
    np.testing.assert_allclose(scene.flow(0, 1), forward, atol=1e-4)
    np.testing.assert_allclose(scene.flow(1, 0), backward, atol=1e-4)
    # Background that the square moves onto, then off.
    np.testing.assert_array_equal(scene.occlusion(0, 1), after & ~before)
    np.testing.assert_array_equal(scene.occlusion(1, 0), before & ~after)
    assert scene.occlusion(0, 1).sum() == 64 - 3 * 5

    frame = scene.frame(0)
    assert frame.shape == (32, 32, 3) and frame.dtype == np.uint8
    # The edge lies 4.2 pixels from the centre: 0.2 outside of the last pixel
    # centre and so 0.3 into the next one.
    assert (frame[14, 10] == 200).all() and (frame[14, 2] == 50).all()
    assert 50 < frame[14, 15, 0] < 200


def test_front_object_hides_the_one_behind_and_out_of_frame_is_occluded():
    still = Motion(centre=(8, 8), rate=1e-6)
    front = Surface(still, flat(10), box, radius=6.0, label=1)
    moving = Motion(centre=(8, 24), velocity=(0, -16), rate=1e-6)
    behind = Surface(moving, flat(90), box, radius=5.0, label=2)
    ground = Surface(
        Motion(centre=(0, 0), velocity=(3, 0), rate=1e-6), flat(0)
    )
    scene = Scene((32, 32), ground, [front, behind])

    assert scene.instance_mask(0)[24, 8] == 2
    assert scene.instance_mask(1)[8, 8] == 1
    occluded = scene.occlusion(0, 1)
    assert occluded[24, 8]  # slides below the front object
    assert not occluded[8, 8]
    # 3 pixels to the right: the last 3 columns leave the frame.
    assert not occluded[0, :29].any() and occluded[0, 29:].all()


def test_too_many_objects_is_an_error():
    surface = Surface(Motion(centre=(0, 0)), flat(0), box)
    with pytest.raises(ValueError, match='255.*256'):
        Scene((16, 16), surface, [surface] * 256)
