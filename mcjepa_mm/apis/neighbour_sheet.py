"""Images of a folder with their nearest neighbours, as a picture."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F

from mcjepa_mm.datasets.transforms.image_loading import read_image
from mcjepa_mm.models.knn import nearest
from mcjepa_mm.visualization.contact_sheet import contact_sheet

from .diagnosis_pictures import square

QUERIES, NEIGHBOURS = 8, 6
_SIDE = 128  # of a picture on the sheet, pixels


def draw_neighbours(
    paths: Mapping[str, str], vectors: np.ndarray
) -> np.ndarray:
    """Draw rows of an image and its neighbours by cosine.

    The mean of all vectors is taken off before, as for kNN accuracy: what
    they share would make every cosine nearly 1.

    Args:
        paths (Mapping[str, str]): Image files by name. Eight, evenly spaced,
            are asked.
        vectors (np.ndarray): (N, C), theirs in this order, N at least 2.

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB.

    Raises:
        BadSampleError: If an image is damaged.
    """
    names, files = list(paths), list(paths.values())
    count = min(QUERIES, len(files))
    queries = torch.arange(count) * len(files) // count
    bank = torch.from_numpy(vectors).double()
    bank = F.normalize(bank - bank.mean(dim=0), dim=1)
    most = min(NEIGHBOURS, len(files) - 1)
    cosines, places = nearest(bank[queries], bank, most, own=queries)

    def draw(place: int) -> np.ndarray:
        return square(read_image(files[place], 'rgb'), _SIDE)

    rows, captions = [], []
    for query, cosine, found in zip(
        queries.tolist(), cosines.tolist(), places.tolist()
    ):
        rows.append([draw(place) for place in (query, *found)])
        captions.append(
            [names[query]]
            + [f'{x:.2f} {names[place]}' for x, place in zip(cosine, found)]
        )
    return contact_sheet(
        ['image', *map(str, range(1, most + 1))],
        rows,
        captions,
        heading=f'Nearest of {len(files)} images by cosine, the mean of all '
        'taken off',
        min_width=_SIDE,
    )
