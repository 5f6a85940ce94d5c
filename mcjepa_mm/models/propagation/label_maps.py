"""Convert object masks to soft labels on a grid, and back."""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

UNDECIDED = 255
"""Value of pixels in a mask of which the annotator was not sure."""


def without_undecided(mask: np.ndarray) -> np.ndarray:
    """A mask (H, W) uint8 with background where it is undecided."""
    return np.where(mask == UNDECIDED, 0, mask).astype(np.uint8)


def mask_to_labels(
    mask: np.ndarray, size: tuple[int, int]
) -> tuple[Tensor, np.ndarray]:
    """Soft labels of the cells of a mask.

    A cell has the label of the pixel at its middle, as in DINO's protocol.

    Args:
        mask (np.ndarray): (H, W) uint8, object numbers from 1; 0 and 255 are
            background.
        size (tuple[int, int]): Height and width of the grid.

    Returns:
        tuple[Tensor, np.ndarray]: (h, w, M) float32, 0 or 1, and the M
        numbers of the mask in ascending order, the first one 0. An object
        between the middles of cells has no cell.
    """
    mask = without_undecided(mask)
    numbers = np.union1d([0], mask).astype(np.uint8)
    # torch's 'nearest' and OpenCV's take a pixel at the corner of the cell
    cells = Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST)
    labels = np.asarray(cells)[..., None] == numbers
    return torch.from_numpy(labels.astype(np.float32)), numbers


def labels_to_mask(
    labels: Tensor,
    numbers: np.ndarray,
    image_size: tuple[int, int],
    mask_size: tuple[int, int],
) -> np.ndarray:
    """Mask of the most likely object of each pixel.

    As in DINO's protocol: bilinear to the image's size, each label scaled to
    the range 0 to 1 by itself, which favours small objects, then the largest,
    then nearest to the mask's size. A label that is the same everywhere is
    not scaled; there DINO's code divides by zero.

    Args:
        labels (Tensor): (h, w, M) float32, share of each label.
        numbers (np.ndarray): (M,) uint8, what the labels stand for.
        image_size (tuple[int, int]): Height and width of the image that the
            grid belongs to.
        mask_size (tuple[int, int]): Height and width of the mask.

    Returns:
        np.ndarray: (H, W) uint8.
    """
    best = winner = torch.empty(0)
    # one at a time: many objects do not take more memory than few
    for index, label in enumerate(labels.unbind(dim=2)):
        score = F.interpolate(
            label[None, None],
            size=tuple(image_size),
            mode='bilinear',
            align_corners=False,
        )[0, 0]
        low, high = score.aminmax()
        if high > low:
            score = (score - low) / (high - low)
        if not index:
            best, winner = score, torch.zeros_like(score, dtype=torch.uint8)
            continue
        better = score > best
        best = torch.where(better, score, best)
        winner[better] = index
    mask = Image.fromarray(numbers[winner.cpu().numpy()])
    height, width = mask_size
    return np.asarray(
        mask.resize((width, height), Image.Resampling.NEAREST)
    ).copy()
