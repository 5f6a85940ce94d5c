"""Image classification by kNN and ridge regression."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mcjepa_mm.datasets.clips import (
    IMAGE_SUFFIXES,
    find_images,
    natural_key,
)
from mcjepa_mm.datasets.transforms.image_loading import read_image
from mcjepa_mm.evaluation.functional import (
    centred_knn_votes,
    choose_ridge_strength,
    ridge_classifier,
    ridge_moments,
)

from .encoder import FrozenEncoder, fit_to, pool_maps

K, TEMPERATURE = 20, 0.07  # DINO's
_BATCH = 64


def list_class_folders(
    root: str | os.PathLike,
) -> tuple[list[str], list[list[str]]]:
    """Classes and their images: each folder of ``root`` is a class.

    Args:
        root (str | PathLike): Such as Caltech-101's ``101_ObjectCategories``.
            Images are found at any depth of a class's folder, as Tiny
            ImageNet's are in ``train/CLASS/images``.

    Returns:
        tuple[list[str], list[list[str]]]: Names of the classes and the paths
        of each one's images, both in natural order. A folder without images
        is no class.

    Raises:
        FileNotFoundError: If ``root`` is no folder.
        ValueError: If it holds fewer than two classes.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(
            f'{root} is no folder; expected one with a folder of images for '
            'each class'
        )
    classes, images = [], []
    for folder in sorted(root.iterdir(), key=lambda p: natural_key(p.name)):
        if not folder.is_dir():
            continue
        found = find_images(str(folder), recursive=True)
        if found:
            classes.append(folder.name)
            images.append(found)
    if len(classes) < 2:
        raise ValueError(
            f'{root} holds {len(classes)} folders with images '
            f'({IMAGE_SUFFIXES}); expected one for each class, at least two'
        )
    return classes, images


def classify_folders(
    encoder: FrozenEncoder, root: str | os.PathLike
) -> dict[str, Any]:
    """Accuracy on every 4th picture of each class, fitted to the others.

    Pictures are scaled to 64 x 64 whole, as the pretraining's views are
    large. kNN (k 20, temperature 0.07) and a ridge regression see the last
    level's spatial mean, or those of all levels; of these each level counts
    alike for the neighbours. The penalty of the ridge is chosen on every 4th
    of the pictures that are fitted.

    Args:
        encoder (FrozenEncoder): The encoder.
        root (str | PathLike): See :func:`list_class_folders`.

    Returns:
        dict: ``classes``, ``fitted`` and ``queries`` (counts), ``chance`` and
        for each of ``knn_last``, ``knn_all``, ``ridge_last`` and
        ``ridge_all`` the accuracy in per cent; in ``right`` for each of them
        a 1 or 0 for each query, as a string.

    Raises:
        BadSampleError: If a picture is damaged.
        FileNotFoundError, ValueError: As :func:`list_class_folders`.
    """
    classes, images = list_class_folders(root)
    paths = [path for group in images for path in group]
    labels = torch.tensor([c for c, group in enumerate(images) for _ in group])
    place = torch.tensor([i for group in images for i in range(len(group))])
    query = place % 4 == 3
    # of those that are fitted, every 4th by its place among them
    rank = place - (place + 1) // 4
    held = ~query & (rank % 4 == 3)
    levels = _pooled(encoder, paths)
    figures: dict[str, Any] = dict(
        classes=len(classes),
        fitted=int((~query).sum()),
        queries=int(query.sum()),
        chance=100 / len(classes),
        right={},
    )
    for name, chosen in (('last', levels[-1:]), ('all', levels)):
        bank = [_by_spread(x, ~query) for x in chosen]
        bank = torch.cat(bank, dim=1)
        votes = centred_knn_votes(
            bank[query],
            bank[~query],
            labels[~query],
            num_classes=len(classes),
            k=min(K, int((~query).sum())),
            temperature=TEMPERATURE,
        )
        answers = dict(knn=votes.argmax(dim=1))
        answers['ridge'] = _ridge(
            torch.cat(list(chosen), dim=1), labels, query, held, len(classes)
        )
        for kind, answer in answers.items():
            right = (answer == labels[query]).tolist()
            figures[f'{kind}_{name}'] = 100 * sum(right) / len(right)
            figures['right'][f'{kind}_{name}'] = ''.join(
                str(int(x)) for x in right
            )
    return figures


def _pooled(encoder: FrozenEncoder, paths: list[str]) -> list[Tensor]:
    """Spatial means (N, C_l) of all pictures."""
    parts = []
    for start in range(0, len(paths), _BATCH):
        images = [
            fit_to(read_image(path, 'rgb'), (64, 64))
            for path in paths[start : start + _BATCH]
        ]
        parts.append(pool_maps(encoder.maps(torch.stack(images))))
    return [torch.cat(level) for level in zip(*parts)]


def _by_spread(features: Tensor, fitted: Tensor) -> Tensor:
    """Features in units of their mean distance from the fitted ones' mean."""
    centred = features[fitted].double() - features[fitted].double().mean(0)
    spread = centred.square().sum(dim=1).mean().sqrt()
    return features.double() / spread.clamp(min=1e-30)


def _ridge(
    features: Tensor,
    labels: Tensor,
    query: Tensor,
    held: Tensor,
    num_classes: int,
) -> Tensor:
    """Answers (Q,) to the queries."""
    train = ~query & ~held
    moments = ridge_moments(features[train], labels[train], num_classes)
    strength = choose_ridge_strength(moments, features[held], labels[held])
    moments += ridge_moments(features[held], labels[held], num_classes)
    weight, bias = ridge_classifier(moments, strength)
    return (features[query].double() @ weight + bias).argmax(dim=1)
