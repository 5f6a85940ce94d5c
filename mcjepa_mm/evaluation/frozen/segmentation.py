"""Classes of cells: ridge regression on the pyramid's features."""

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
    choose_ridge_strength,
    class_areas,
    mean_iou,
    ridge_classifier,
    ridge_moments,
)

from .encoder import FrozenEncoder, fit_to, map_cells

CLASSES = CamVid.METAINFO['classes']
LARGE = ('Sky', 'Building', 'Road', 'Pavement', 'Tree', 'Car')
_USUAL_STRENGTH = 1e-3
_BATCH = 8


def segment_folder(
    encoder: FrozenEncoder,
    root: str | os.PathLike,
    *,
    size: tuple[int, int] = (192, 256),
    stride: int = 8,
    every: int = 1,
) -> dict[str, Any]:
    """Mean IoU of a linear map from cells to CamVid's classes.

    Pictures are scaled to ``size``, all levels brought to a grid of
    ``stride`` pixels, and each cell has the class of most of its pixels; one
    that is mostly unlabelled is left out. A ridge regression is fitted to the
    cells of ``train.txt``, in which a class's cells count in all as the
    square root of their number: otherwise small classes are never answered.
    The penalty is chosen on every 5th stretch of 8 pictures of the list (1e-3
    where there is no such stretch). The answers are interpolated to the masks
    of ``val.txt``, where the largest one decides.

    Args:
        encoder (FrozenEncoder): The encoder.
        root (str | PathLike): ``data_root`` of :class:`CamVid`.
        size (tuple[int, int]): Rows and columns in pixels. Defaults to
            (192, 256).
        stride (int): Pixels of a cell's side. Defaults to 8.
        every (int): Fit every n-th picture of the list. Defaults to 1.

    Returns:
        dict: ``miou`` over the 11 classes and ``miou_large`` over the six
        large ones, in per cent; ``iou`` by class (None if it does not
        occur); ``areas``, for each picture of ``val.txt`` right, predicted
        and true pixels of each class; ``strength``, the penalty.

    Raises:
        BadSampleError: If a picture or mask is damaged or has a label that
            is no class's.
        FileNotFoundError, ValueError: As :class:`CamVid`.
    """
    train, val = _paths(root, 'train')[::every], _paths(root, 'val')
    grid = size[0] // stride, size[1] // stride
    weights = _class_weights(train, grid)
    fitted, features, labels = None, [], []
    for number, (cells, masks) in enumerate(
        _batches(encoder, train, size, grid)
    ):
        classes = torch.cat([_cell_labels(x, grid).flatten() for x in masks])
        known = classes != IGNORED
        classes = classes[known]
        flat = cells.permute(0, 2, 3, 1).flatten(0, 2)[known]
        # single pictures would have their neighbours in the film fitted
        if number % 5 == 4:
            features.append(flat)
            labels.append(classes)
            continue
        moments = ridge_moments(
            flat, classes, len(CLASSES), weights=weights[classes]
        )
        fitted = moments if fitted is None else fitted + moments
    strength = _USUAL_STRENGTH
    if features:
        held = torch.cat(features), torch.cat(labels)
        weights = weights[held[1]]
        strength = choose_ridge_strength(fitted, *held, weights=weights)
        fitted += ridge_moments(*held, len(CLASSES), weights=weights)
    weight, bias = ridge_classifier(fitted, strength)
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
        strength=strength,
        areas=[area.tolist() for area in areas],
    )


def _paths(root: str | os.PathLike, split: str) -> list[tuple[str, str]]:
    """Pictures and masks of a list."""
    dataset = CamVid(os.fspath(root), ann_file=f'{split}.txt')
    infos = map(dataset.get_data_info, range(len(dataset)))
    return [(info['img_path'], info['seg_map_path']) for info in infos]


def _class_weights(
    paths: Sequence[tuple[str, str]], grid: tuple[int, int]
) -> Tensor:
    """What a cell of each class counts, (C,) float64; 1 in the mean."""
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
    weights = counts.clamp(min=1).rsqrt()
    return weights * counts.sum() / (weights * counts).sum()


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
