"""What a row of figures, one of each frame, comes to."""

from collections.abc import Sequence

import numpy as np


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
