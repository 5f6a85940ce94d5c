"""Measures of the DAVIS benchmark: region similarity and boundary F."""

import math
from collections.abc import Sequence

import cv2
import numpy as np


def region_similarity(pred: np.ndarray, gt: np.ndarray) -> float:
    """Area of two masks' intersection divided by that of their union.

    Source: Perazzi et al., A benchmark dataset and evaluation methodology
    for video object segmentation, CVPR 2016, as DAVIS-2017's evaluator
    computes it.

    Args:
        pred (np.ndarray): (H, W) bool.
        gt (np.ndarray): (H, W) bool.

    Returns:
        float: 0 to 1; 1 if both masks are empty.

    Raises:
        ValueError: If they are not two masks of one size.
    """
    check_masks(pred, gt)
    union = int((pred | gt).sum())
    if not union:
        return 1.0
    return int((pred & gt).sum()) / union


def check_masks(pred: np.ndarray, gt: np.ndarray) -> None:
    """Refuse what is not two masks (H, W) bool of one size."""
    found = [(mask.shape, str(mask.dtype)) for mask in (pred, gt)]
    if pred.ndim != 2 or not pred.size or found != [(pred.shape, 'bool')] * 2:
        raise ValueError(
            f'expected two masks (H, W) bool of one size, got {found[0]} and '
            f'{found[1]}; make them with `objects == number`, and resize the '
            'prediction to the ground truth'
        )


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
    """Boundary pixels of a mask.

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
    """Rows and columns that contain a mask's boundary.

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
    """Dilate an outline by ``reach`` pixels."""
    steps = np.arange(-reach, reach + 1) ** 2
    disk = steps[:, None] + steps <= reach**2
    grown = cv2.dilate(outline.view(np.uint8), disk.view(np.uint8))
    return grown.view(bool)


def object_scores(
    pred: np.ndarray, gt: np.ndarray, num_objects: int
) -> np.ndarray:
    """J and F of every object of a frame.

    Args:
        pred (np.ndarray): (H, W) int, object numbers from 1, 0 background.
        gt (np.ndarray): The same; other numbers than 1 to ``num_objects``,
            255 say, count as background, as in the benchmark.
        num_objects (int): How many.

    Returns:
        np.ndarray: (2, num_objects) float64: region similarity and boundary
        measure, 0 to 1, of object 1, 2, ...

    Raises:
        ValueError: If the sizes differ.
    """
    scores = np.empty((2, num_objects))
    for i in range(num_objects):
        masks = pred == i + 1, gt == i + 1
        scores[:, i] = region_similarity(*masks), boundary_measure(*masks)
    return scores


def sequence_statistics(
    values: Sequence[float] | np.ndarray,
) -> dict[str, float]:
    """Mean, recall and decay of a measure over a sequence's frames.

    - ``mean``;
    - ``recall``: the share of frames whose value is above 0.5;
    - ``decay``: the mean of the first quarter less that of the last one.
      Quarters share the frame at which they meet, and the frames nearest to
      1/4, 1/2 and 3/4 of the way are where they do, the later one of two.

    Source: as :func:`region_similarity`. The benchmark's evaluator counts
    frames in 8 bits, so that its decay is another one beyond 256 frames.

    Args:
        values (Sequence[float]): In the order of time.

    Returns:
        dict[str, float]: ``mean``, ``recall`` and ``decay``.

    Raises:
        ValueError: If there is no value.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(
            'expected the values of at least one frame in a row, got an array '
            f'of shape {values.shape}'
        )
    last = len(values) - 1
    # rounded quarters of `last`, halves up, in whole numbers
    first_end, last_start = (last + 2) // 4, (3 * last + 2) // 4
    decay = values[: first_end + 1].mean() - values[last_start:].mean()
    return dict(
        mean=float(values.mean()),
        recall=float((values > 0.5).mean()),
        decay=float(decay),
    )
