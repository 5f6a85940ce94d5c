"""Ridge regression onto classes, in closed form.

Each class is a target, 1 for its samples and 0 for others; the largest answer
decides. There are no steps, no seed and no learning rate, so two encoders
differ by their features alone. Everything is in float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

STRENGTHS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Of the penalty, in parts of the variance of a feature."""


@dataclass(frozen=True)
class RidgeMoments:
    """Sums over samples that a ridge regression is solved from.

    Those of two sets of samples add up to those of both, so samples need not
    be kept.

    Attributes:
        count (float): Samples N, or the sum of their weights.
        features (Tensor): (D,) float64, their sum.
        targets (Tensor): (C,) float64, samples of each class.
        gram (Tensor): (D, D) float64, sum of the products of features.
        cross (Tensor): (D, C) float64, sum of the features of each class.
    """

    count: float
    features: Tensor
    targets: Tensor
    gram: Tensor
    cross: Tensor

    def __add__(self, other: 'RidgeMoments') -> 'RidgeMoments':
        return RidgeMoments(
            self.count + other.count,
            self.features + other.features,
            self.targets + other.targets,
            self.gram + other.gram,
            self.cross + other.cross,
        )


def ridge_moments(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    *,
    weights: Tensor | None = None,
) -> RidgeMoments:
    """The sums of some samples.

    Args:
        features (Tensor): (N, D).
        labels (Tensor): (N,) class indices from 0.
        num_classes (int): Number of classes C.
        weights (Tensor, optional): (N,), how much a sample counts. Defaults
            to None, 1.

    Returns:
        RidgeMoments: See there.

    Raises:
        ValueError: If the shapes do not fit or a label is out of range.
    """
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            'expected features (N, D) and labels (N,), got '
            f'{tuple(features.shape)} and {tuple(labels.shape)}'
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f'expected labels from 0 to {num_classes - 1}, got '
            f'{int(labels.min())} to {int(labels.max())}'
        )
    features = features.double()
    # a class's sum is a product with its column of ones, in a fixed order
    ones = torch.nn.functional.one_hot(labels.long(), num_classes).double()
    if weights is None:
        weights = torch.ones(len(features))
    weights = weights.double()
    weighted = features * weights[:, None]
    return RidgeMoments(
        float(weights.sum()),
        weighted.sum(dim=0),
        weights @ ones,
        weighted.T @ features,
        weighted.T @ ones,
    )


def ridge_classifier(
    moments: RidgeMoments, strength: float
) -> tuple[Tensor, Tensor]:
    """Solve the regression.

    Features are centred and brought to a variance of 1, so that the penalty
    means the same for each: minimised is the mean squared error plus
    ``strength`` times the squared length of the weights of such features. The
    bias is free. A feature that does not vary gets no weight.

    Args:
        moments (RidgeMoments): Of the samples.
        strength (float): Of the penalty, above 0.

    Returns:
        tuple[Tensor, Tensor]: Weights (D, C) and bias (C,), float64, of the
        features as they are: ``features @ weight + bias``.

    Raises:
        ValueError: If there is no sample, or the strength is not positive.
    """
    if not moments.count > 0 or not strength > 0:
        raise ValueError(
            'expected at least one sample and a strength above 0, got '
            f'{moments.count} and {strength}'
        )
    n = moments.count
    mean, share = moments.features / n, moments.targets / n
    second = moments.gram.diagonal() / n
    variance = second - mean.square()
    # below it, what the subtraction leaves is rounding
    varies = variance > 1e-12 * second
    scale = torch.where(varies, variance.clamp(min=0).sqrt(), torch.inf)
    covariance = moments.gram / n - torch.outer(mean, mean)
    correlation = covariance / torch.outer(scale, scale)
    target = (moments.cross / n - torch.outer(mean, share)) / scale[:, None]
    correlation.diagonal().add_(strength)
    weight = torch.cholesky_solve(target, torch.linalg.cholesky(correlation))
    weight = weight / scale[:, None]
    return weight, share - mean @ weight


def choose_ridge_strength(
    moments: RidgeMoments,
    features: Tensor,
    labels: Tensor,
    strengths: Sequence[float] = STRENGTHS,
) -> float:
    """The penalty that classifies held-out samples best.

    Args:
        moments (RidgeMoments): Of the samples that are fitted.
        features (Tensor): (N, D) of others, held out.
        labels (Tensor): (N,) their classes.
        strengths (Sequence[float]): To choose from.

    Returns:
        float: The one with the highest accuracy, the largest of equals.
    """
    found = []
    for strength in strengths:
        weight, bias = ridge_classifier(moments, strength)
        preds = (features.double() @ weight + bias).argmax(dim=1)
        found.append((int((preds == labels).sum()), strength))
    return max(found)[1]
