"""Segmentation by ridge regression on the pyramid's cells."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from mcjepa_mm.datasets.bad_samples import BadSampleError
from mcjepa_mm.datasets.camvid_dataset import IGNORED, UNLABELLED, CamVid
from mcjepa_mm.datasets.transforms.image_loading import read_image
from mcjepa_mm.evaluation.functional import (
    RidgeMoments,
    class_areas,
    mean_iou,
    ridge_classifier,
    ridge_moments,
)
from mcjepa_mm.evaluation.functional.ridge import STRENGTHS

from .encoder import FrozenEncoder, fit_to, map_cells

CLASSES = CamVid.METAINFO['classes']
LARGE = ('Sky', 'Building', 'Road', 'Pavement', 'Tree', 'Car')
WEIGHTINGS = dict(none=0.0, sqrt=0.5, balanced=1.0)
"""How much classes count: their cells divided by this power of their number.

0: as often as they are there; 1: all alike.
"""

_BATCH = 8


def segment_folder(
    encoder: FrozenEncoder,
    root: str | os.PathLike,
    *,
    size: tuple[int, int] = (192, 256),
) -> dict[str, Any]:
    """Mean IoU of a linear map from cells to CamVid's classes.

    Pictures are scaled to ``size``, all levels brought to a grid of
    stride 8, and each cell has the class of most of its pixels; one that is
    mostly unlabelled is left out. A ridge regression is fitted to the
    cells of ``train.txt``. Its penalty and how much classes count, of
    :data:`WEIGHTINGS`, are those with the highest mean IoU of cells on a
    fifth of that list, see :func:`held_out`; then all of it is fitted. The
    answers are interpolated to the masks of ``val.txt``, where the largest
    one decides.

    Args:
        encoder (FrozenEncoder): The encoder.
        root (str | PathLike): ``data_root`` of :class:`CamVid`.
        size (tuple[int, int]): Rows and columns in pixels. Defaults to
            (192, 256).

    Returns:
        dict: ``miou`` over the 11 classes and ``miou_large`` over the six
        large ones, in per cent; ``iou`` by class (None if it does not
        occur); ``areas``, for each picture of ``val.txt`` right, predicted
        and true pixels of each class; the choice, ``strength`` and
        ``weighting``, and ``miou_held_out``, by which it was made.

    Raises:
        BadSampleError: If a picture or mask is damaged or has a label that
            is no class's.
        FileNotFoundError, ValueError: As :class:`CamVid`; or if
            ``train.txt`` has too few pictures or cells with a class.
    """
    train, val = _paths(root, 'train'), _paths(root, 'val')
    grid = size[0] // 8, size[1] // 8
    weight, bias, choice = _fit(encoder, train, size, grid)
    areas = []
    for cells, masks in _batches(encoder, val, size, grid):
        # features that hardly vary have large weights, which cancel
        scores = torch.einsum('nchw,cd->ndhw', cells.double(), weight)
        scores += bias[:, None, None]
        for score, mask in zip(scores, masks):
            score = F.interpolate(
                score[None], mask.shape, mode='bilinear', align_corners=False
            )
            pred = score[0].argmax(dim=0).numpy()
            areas.append(class_areas(pred, mask, len(CLASSES), IGNORED))
    total = np.sum(areas, axis=0)
    large = [CLASSES.index(name) for name in LARGE]
    each = [100 * mean_iou(total, [c]) for c in range(len(CLASSES))]
    return dict(
        miou=100 * mean_iou(total),
        miou_large=100 * mean_iou(total, large),
        iou={
            name: None if np.isnan(value) else value
            for name, value in zip(CLASSES, each)
        },
        **choice,
        areas=[area.tolist() for area in areas],
    )


def _paths(root: str | os.PathLike, split: str) -> list[tuple[str, str]]:
    """Pictures and masks of a list."""
    dataset = CamVid(os.fspath(root), ann_file=f'{split}.txt')
    infos = map(dataset.get_data_info, range(len(dataset)))
    return [(info['img_path'], info['seg_map_path']) for info in infos]


def held_out(count: int) -> np.ndarray:
    """Every fifth stretch of pictures, (count,) bool.

    A stretch has 8 pictures, fewer where the list is short: single ones
    would have their neighbours in the film fitted.

    Raises:
        ValueError: If there are fewer than 5 pictures.
    """
    if count < 5:
        raise ValueError(
            f'the penalty is chosen on a fifth of the pictures of train.txt; '
            f'expected at least 5 of them, got {count}'
        )
    stretch = min(8, count // 5)
    return np.arange(count) // stretch % 5 == 4


def _fit(
    encoder: FrozenEncoder,
    paths: Sequence[tuple[str, str]],
    size: tuple[int, int],
    grid: tuple[int, int],
) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """Fit weights (C, classes), bias (classes,); return the choices too."""
    is_held = held_out(len(paths))
    weights = _class_weights(paths, grid)
    moments: dict[str, RidgeMoments] = {}
    held: list[tuple[Tensor, Tensor]] = []
    for start, (cells, masks) in zip(
        range(0, len(paths), _BATCH), _batches(encoder, paths, size, grid)
    ):
        for number, (cell, mask) in enumerate(zip(cells, masks)):
            classes = _cell_labels(mask, grid).flatten()
            known = classes != IGNORED
            features = cell.flatten(1).T[known]
            classes = classes[known]
            if is_held[start + number]:
                held.append((features, classes))
            else:
                _add(moments, features, classes, weights)
    features, labels = (torch.cat(x) for x in zip(*held))
    strength, weighting, score = _choose(moments, features, labels)
    _add(moments, features, labels, {weighting: weights[weighting]})
    return *ridge_classifier(moments[weighting], strength), dict(
        strength=strength, weighting=weighting, miou_held_out=100 * score
    )


def _add(
    moments: dict[str, RidgeMoments],
    features: Tensor,
    labels: Tensor,
    weights: dict[str, Tensor],
) -> None:
    """Add cells to the moments of each weighting."""
    for name, weight in weights.items():
        more = ridge_moments(
            features, labels, len(CLASSES), weights=weight[labels]
        )
        moments[name] = moments[name] + more if name in moments else more


def _choose(
    moments: dict[str, RidgeMoments], features: Tensor, labels: Tensor
) -> tuple[float, str, float]:
    """Penalty and weighting with the highest mean IoU on held-out cells.

    Of equals the first weighting and its largest penalty.
    """
    if not len(labels):
        raise ValueError(
            'no cell of the pictures of train.txt that are held out has a '
            'class: all are unlabelled'
        )
    features = features.double()
    best = -1.0, 0.0, ''
    for weighting, fitted in moments.items():
        for strength in sorted(STRENGTHS, reverse=True):
            weight, bias = ridge_classifier(fitted, strength)
            pred = (features @ weight + bias).argmax(dim=1)
            areas = class_areas(pred.numpy(), labels.numpy(), len(CLASSES))
            # what is equal must be so to the last bit
            score = round(mean_iou(areas), 6)
            if score > best[0]:
                best = score, strength, weighting
    return best[1], best[2], best[0]


def _class_weights(
    paths: Sequence[tuple[str, str]], grid: tuple[int, int]
) -> dict[str, Tensor]:
    """Weight of a cell of each class, (C,) float64; 1 on average."""
    labels = torch.cat(
        [_cell_labels(_read_mask(mask), grid).flatten() for _, mask in paths]
    )
    counts = torch.bincount(
        labels[labels != IGNORED], minlength=len(CLASSES)
    ).double()
    if not counts.any():
        raise ValueError(
            f'no cell of {len(paths)} masks, such as {paths[0][1]}, has a '
            'class: all are unlabelled'
        )
    found = {}
    for name, power in WEIGHTINGS.items():
        weights = counts.clamp(min=1).pow(-power)
        found[name] = weights * counts.sum() / (weights * counts).sum()
    return found


def _batches(
    encoder: FrozenEncoder,
    paths: Sequence[tuple[str, str]],
    size: tuple[int, int],
    grid: tuple[int, int],
) -> Iterator[tuple[Tensor, list[np.ndarray]]]:
    """Cells (N, C, rows, columns) and masks of some pictures at a time."""
    for start in range(0, len(paths), _BATCH):
        part = paths[start : start + _BATCH]
        images = [fit_to(read_image(path, 'rgb'), size) for path, _ in part]
        maps = encoder.maps(torch.stack(images))
        yield map_cells(maps, grid), [_read_mask(mask) for _, mask in part]


def _read_mask(path: str) -> np.ndarray:
    """Classes (H, W) uint8, 255 where there is none."""
    try:
        with Image.open(path) as image:
            mask = np.array(image)
    except Exception as error:  # see read_image
        raise BadSampleError(
            f'{path} cannot be read as a mask: {error}', path
        ) from error
    if mask.ndim != 2 or mask[mask != IGNORED].max(initial=0) > UNLABELLED:
        raise BadSampleError(
            f'{path} is no mask of CamVid: expected one channel with classes '
            f'0 to {len(CLASSES) - 1}, {UNLABELLED} unlabelled, got shape '
            f'{mask.shape} and values up to {mask.max()}',
            path,
        )
    return np.where(mask == UNLABELLED, IGNORED, mask).astype(np.uint8)


def _cell_labels(mask: np.ndarray, grid: tuple[int, int]) -> Tensor:
    """The class (rows, columns) of most pixels of each cell, or 255."""
    planes = torch.from_numpy(
        np.stack([mask == c for c in range(len(CLASSES))]).astype(np.float32)
    )
    shares = F.adaptive_avg_pool2d(planes[None], grid)[0]
    labels = shares.argmax(dim=0)
    labels[shares.sum(dim=0) < 0.5] = IGNORED
    return labels
