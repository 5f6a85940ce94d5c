"""Weighted k-nearest-neighbour classification of frozen features."""

import torch
import torch.nn.functional as F
from torch import Tensor

_CHUNK = 1024  # queries per similarity matrix, bounds it to CHUNK x N


def knn_accuracy(
    features: Tensor, labels: Tensor, *, k: int = 20, temperature: float = 0.07
) -> float:
    """Leave-one-out accuracy of a weighted kNN classifier.

    Features are L2-normalised; each of the k most similar *other* samples
    votes for its own class with weight exp(cos / temperature), the
    weighting of InstDisc and of DINO's kNN evaluation (k 20, temperature
    0.07 are theirs).

    Args:
        features (Tensor): (N, D).
        labels (Tensor): (N,) class indices from 0.
        k (int): Number of neighbours, 1 to N - 1.
        temperature (float): Softness of the votes, above 0.

    Returns:
        float: Share of the samples classified rightly, 0 to 1.

    Raises:
        ValueError: If shapes do not fit, or k or temperature is out of
            range.
    """
    num = features.shape[0]
    if features.ndim != 2 or labels.shape != (num,):
        raise ValueError(
            'expected features (N, D) and labels (N,), got '
            f'{tuple(features.shape)} and '
            f'{tuple(labels.shape)}'
        )
    if not 1 <= k < num:
        raise ValueError(
            f'k is {k}, but leave-one-out over {num} samples '
            f'has {num - 1} neighbours; choose k from 1 to '
            f'{num - 1} or evaluate on more samples'
        )
    if temperature <= 0:
        raise ValueError(f'temperature must be above 0, got {temperature}')

    features = F.normalize(features.float(), dim=1)
    labels = labels.long()
    num_classes = int(labels.max()) + 1
    right = 0
    for start in range(0, num, _CHUNK):
        query = features[start : start + _CHUNK]
        rows = torch.arange(query.shape[0], device=features.device)
        similarity = query @ features.T
        # a sample is no neighbour of itself
        similarity[rows, start + rows] = -torch.inf
        nearest, index = similarity.topk(k, dim=1)
        # exp((cos - 1) / T) is the same vote and cannot overflow
        weight = ((nearest - 1) / temperature).exp()
        votes = weight.new_zeros(query.shape[0], num_classes)
        votes.scatter_add_(1, labels[index], weight)
        truth = labels[start : start + _CHUNK]
        right += int((votes.argmax(dim=1) == truth).sum())
    return right / num
