"""How well the outline of a mask follows an object's: the F-measure."""

import math

import cv2
import numpy as np

from .region_similarity import check_masks

_TOLERANCE = 0.008  # of the picture's diagonal


def boundary_measure(pred: np.ndarray, gt: np.ndarray) -> float:
    """F-measure of the boundary pixels of two masks.

    Precision is the share of predicted boundary pixels that have a true one
    in reach, recall the share of true ones that have a predicted one, and
    ``F = 2 * precision * recall / (precision + recall)``. In reach is what is
    not further than ``ceil(0.008 * diagonal)`` pixels, the diagonal being
    that of the picture.

    Source: as :func:`region_similarity`.

    Args:
        pred (np.ndarray): (H, W) bool.
        gt (np.ndarray): (H, W) bool.

    Returns:
        float: 0 to 1; 1 if neither mask has a boundary, 0 if one has none.

    Raises:
        ValueError: If they are not two masks of one size.
    """
    check_masks(pred, gt)
    reach = math.ceil(_TOLERANCE * math.hypot(*pred.shape))
    inside = _frame(pred | gt)
    pred, gt = (boundary(mask[inside]) for mask in (pred, gt))
    counts = [int(outline.sum()) for outline in (pred, gt)]
    if not all(counts):
        return float(not any(counts))
    precision = int((pred & _grow(gt, reach)).sum()) / counts[0]
    recall = int((gt & _grow(pred, reach)).sum()) / counts[1]
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def boundary(mask: np.ndarray) -> np.ndarray:
    """The pixels at which a mask begins or ends.

    Those that differ from the pixel on the right, below, or below on the
    right. The last row has only a right neighbour, the last column only a
    lower one, and the last pixel none: what leaves the picture there has no
    boundary.

    Args:
        mask (np.ndarray): (H, W) bool.

    Returns:
        np.ndarray: (H, W) bool.
    """
    outline = np.zeros_like(mask)
    outline[:, :-1] = mask[:, :-1] != mask[:, 1:]
    outline[:-1] |= mask[:-1] != mask[1:]
    outline[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return outline


def _frame(mask: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns in which a mask's boundary lies.

    One more on every side than the mask has, if the picture has it: what the
    part's last row and column lack of neighbours is then either missing in
    the picture too, or empty.
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return (
        slice(max(0, top - 1), top + height + 1),
        slice(max(0, left - 1), left + width + 1),
    )


def _grow(outline: np.ndarray, reach: int) -> np.ndarray:
    """What is at most ``reach`` pixels from an outline."""
    steps = np.arange(-reach, reach + 1) ** 2
    disk = steps[:, None] + steps <= reach**2
    grown = cv2.dilate(outline.view(np.uint8), disk.view(np.uint8))
    return grown.view(bool)
