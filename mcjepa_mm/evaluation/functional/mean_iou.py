"""Mean intersection over union of classes, from counts of pixels."""

from collections.abc import Sequence

import numpy as np


def class_areas(
    pred: np.ndarray, gt: np.ndarray, num_classes: int, ignore: int = 255
) -> np.ndarray:
    """How many pixels a picture has of each class.

    Args:
        pred (np.ndarray): (H, W) int, classes from 0.
        gt (np.ndarray): The same; ``ignore`` counts nowhere.
        num_classes (int): Number of classes C.
        ignore (int): Label of pixels without a class.

    Returns:
        np.ndarray: (3, C) int64: right ones, predicted ones, true ones. Those
        of several pictures add up.

    Raises:
        ValueError: If the sizes differ or a label is out of range.
    """
    if pred.shape != gt.shape:
        raise ValueError(
            f'expected two label maps of one size, got {pred.shape} and '
            f'{gt.shape}; resize the prediction to the ground truth'
        )
    counted = gt != ignore
    pred, gt = pred[counted].astype(int), gt[counted].astype(int)
    for name, labels in (('a prediction', pred), ('the truth', gt)):
        if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
            raise ValueError(
                f'expected labels from 0 to {num_classes - 1}, {name} has '
                f'{labels.min()} to {labels.max()}'
            )
    return np.stack(
        [
            np.bincount(labels, minlength=num_classes)
            for labels in (gt[pred == gt], pred, gt)
        ]
    )


def mean_iou(areas: np.ndarray, classes: Sequence[int] | None = None) -> float:
    """Mean IoU over classes that are predicted or true somewhere.

    Args:
        areas (np.ndarray): (3, C), see :func:`class_areas`, of all pictures.
        classes (Sequence[int], optional): Of which the mean is. Defaults to
            all.

    Returns:
        float: 0 to 1; NaN if none of them occurs.
    """
    right, predicted, true = np.asarray(areas, float)
    union = predicted + true - right
    chosen = range(len(union)) if classes is None else classes
    found = [right[c] / union[c] for c in chosen if union[c]]
    return float(np.mean(found)) if found else float('nan')
