import numpy as np
import torch

from mcjepa_mm.models.propagation import labels_to_mask, mask_to_labels


def test_a_cell_shows_the_pixel_at_its_middle():
    mask = np.zeros((4, 8), np.uint8)
    # 2 x 4 cells of 2 x 2 pixels, whose middle rounds down and right
    mask[1, 1], mask[3, 5], mask[0, 6], mask[3, 3] = 3, 7, 9, 255
    labels, numbers = mask_to_labels(mask, (2, 4))
    assert numbers.tolist() == [0, 3, 7, 9]
    shown = numbers[labels.argmax(dim=2).numpy()]
    assert shown.tolist() == [[3, 0, 0, 0], [0, 0, 7, 0]]
    # the undecided pixel is background; the 9 is in no middle
    assert labels.sum(dim=(0, 1)).tolist() == [6, 1, 1, 0]
    assert labels.sum(dim=2).eq(1).all()


def test_mask_of_another_size_than_the_grid():
    mask = np.zeros((10, 7), np.uint8)
    mask[:5] = 1
    labels, _ = mask_to_labels(mask, (3, 2))
    # middles of the rows at pixels 1.67, 5 and 8.3
    assert labels.argmax(dim=2).tolist() == [[1, 1], [0, 0], [0, 0]]


def test_small_shares_win_where_they_are_at_their_most():
    """Each label is scaled to 0..1 by itself before the comparison."""
    labels = torch.tensor([[0.9, 0.1], [0.6, 0.4], [1.0, 0.0]])[None]
    mask = labels_to_mask(labels, np.array([0, 5], np.uint8), (1, 3), (1, 3))
    # background (0.9, 0.6, 1) becomes (0.75, 0, 1), 5 becomes (0.25, 1, 0)
    assert mask.tolist() == [[0, 5, 0]]
    assert mask.dtype == np.uint8


def test_labels_that_are_the_same_everywhere():
    """Where the protocol's own scaling would divide zero by zero."""
    numbers = np.array([0, 1, 2], np.uint8)
    labels = torch.zeros(2, 3, 3)
    labels[..., 0] = 1  # all objects are gone
    mask = labels_to_mask(labels, numbers, (4, 6), (8, 12))
    assert mask.shape == (8, 12) and not mask.any()
    labels = torch.zeros(2, 3, 3)
    labels[..., 2] = 1  # one fills the picture
    assert (labels_to_mask(labels, numbers, (4, 6), (8, 12)) == 2).all()


def test_bilinear_to_the_image_and_nearest_to_the_mask():
    labels = torch.zeros(1, 4, 2)
    labels[0, :2, 0] = labels[0, 2:, 1] = 1
    numbers = np.array([0, 4], np.uint8)
    # halfway between the middles of cells 1 and 2, of 4 pixels each
    mask = labels_to_mask(labels, numbers, (4, 16), (4, 16))
    assert (mask == np.repeat([0, 4], 8)).all()
    mask = labels_to_mask(labels, numbers, (4, 16), (9, 5))
    # middles of the 5 pixels are at 1.6, 4.8, 8, 11.2 and 14.4
    assert (mask == [0, 0, 4, 4, 4]).all() and mask.shape == (9, 5)
