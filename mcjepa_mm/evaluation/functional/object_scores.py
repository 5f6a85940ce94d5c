"""Both measures for every object of a frame."""

import numpy as np

from .boundary_measure import boundary_measure
from .region_similarity import region_similarity


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
