"""How well a mask covers an object: the Jaccard index J."""

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
    """Refuse what is not two masks (H, W) bool of one size.

    Args:
        pred (np.ndarray): The one.
        gt (np.ndarray): The other.

    Raises:
        ValueError: If they are not.
    """
    found = [(mask.shape, str(mask.dtype)) for mask in (pred, gt)]
    if pred.ndim != 2 or not pred.size or found != [(pred.shape, 'bool')] * 2:
        raise ValueError(
            f'expected two masks (H, W) bool of one size, got {found[0]} and '
            f'{found[1]}; make them with `objects == number`, and resize the '
            'prediction to the ground truth'
        )
