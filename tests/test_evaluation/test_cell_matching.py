import numpy as np
import pytest
import torch

from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.evaluation.functional.cell_matching import (
    cell_labels,
    nearest_cells,
    right_place,
    same_label,
    true_places,
)


def test_nearest_cells_equal_numpy():
    rng = np.random.default_rng(0)
    source, target = rng.normal(3, 1, (7, 5)), rng.normal(3, 1, (9, 5))
    mean = target.mean(0)
    a, b = source - mean, target - mean
    cosine = (
        a
        @ b.T
        / np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    )
    got = nearest_cells(*map(torch.tensor, (source, target, mean)))
    assert got.tolist() == cosine.argmax(1).tolist()
    raw = nearest_cells(*map(torch.tensor, (source, target)))
    assert raw.tolist() != got.tolist()  # the mean matters here


def test_a_cell_is_what_covers_most_of_it():
    mask = torch.tensor(
        [[0, 2, 1, 1], [2, 2, 0, 0], [3, 3, 0, 0], [3, 3, 0, 0]]
    ).byte()
    assert cell_labels(mask, 2).tolist() == [2, 0, 3, 0]
    assert cell_labels(mask, 1).tolist() == mask.flatten().tolist()


def test_same_label_leaves_out_background_and_what_is_gone():
    labels = torch.tensor([0, 1, 1, 2, 3])
    target = torch.tensor([1, 1, 0, 2])
    nearest = torch.tensor([0, 1, 3, 3, 0])
    hits, chance = same_label(nearest, labels, target)
    assert hits.tolist() == [True, False, True]
    assert chance.tolist() == [0.5, 0.5, 0.25]


def test_right_place_by_hand():
    # 2 rows of 3 cells of 4 pixels; all moves 4 px right, 2 px down
    flow = torch.tensor([4.0, 2.0])[:, None, None].expand(2, 8, 12)
    occluded = torch.zeros(8, 12, dtype=torch.bool)
    occluded[:, 8:] = True
    places, seen = true_places(flow, occluded, 4)
    # the pixel at 2 lies half a pixel beyond the middle of its cell
    assert places[0].tolist() == [1.125, 0.625]
    assert places[4].tolist() == [2.125, 1.625]
    assert seen.tolist() == [True, True, False] * 2
    nearest = torch.tensor([1, 4, 0, 5, 2, 3])
    hits, chance = right_place(nearest, places, (2, 3))
    # from (1.125, .625): cells (1, 0) and (1, 1) of 6, and (2, 1)
    assert hits.tolist() == [True, False, False, False, False, False]
    assert chance[0].item() == pytest.approx(3 / 6)


@pytest.mark.parametrize('stride', [2, 8])
def test_features_that_know_the_place_are_right(stride):
    scene = EmbeddedWorld((64, 64)).scene(5)
    places, seen = true_places(
        torch.from_numpy(scene.flow(0, 1)),
        torch.from_numpy(scene.occlusion(0, 1)),
        stride,
    )
    side = 64 // stride
    y, x = np.divmod(np.arange(side * side), side)
    cells = torch.tensor(np.stack([x, y], 1)).double()
    nearest = torch.cdist(places, cells).argmin(dim=1)
    hits, chance = right_place(nearest[seen], places[seen], (side, side))
    assert hits.all() and chance.mean() < 5 / side**2 + 0.01
    # the frames' own objects are found too, but for their borders
    labels = [
        cell_labels(torch.from_numpy(scene.instance_mask(t)), stride)
        for t in (0, 1)
    ]
    same, _ = same_label(nearest, *labels)
    assert same.double().mean() > 0.8
