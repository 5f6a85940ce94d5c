"""Weighted k-nearest-neighbour classification of frozen features.

The k most similar samples of a bank vote for their own class with weight
exp(cos / temperature), the weighting of InstDisc and of DINO's kNN evaluation
(k 20, temperature 0.07 are theirs).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

# A similarity matrix is CHUNK x BANK_CHUNK at most, 256 MiB of float32, no
# matter how many queries and how large a bank there is.
_CHUNK = 1024
_BANK_CHUNK = 65536


def knn_votes(
    queries: Tensor,
    bank: Tensor,
    bank_labels: Tensor,
    *,
    num_classes: int,
    k: int = 20,
    temperature: float = 0.07,
    own: Tensor | None = None,
) -> Tensor:
    """Votes of the nearest neighbours in a bank for queries.

    Args:
        queries (Tensor): (Q, D), each of length 1.
        bank (Tensor): (M, D), each of length 1.
        bank_labels (Tensor): (M,) class indices from 0.
        num_classes (int): Number of classes C.
        k (int): Number of neighbours, 1 to M; to M - 1 with ``own``.
        temperature (float): Softness of the votes, above 0.
        own (Tensor, optional): (Q,) the place of each query in the bank; a
            query is no neighbour of itself.

    Returns:
        Tensor: (Q, C) float32, the sum of the votes for each class. They are
        scaled so that the nearest neighbour's vote is 1, which neither
        overflows nor vanishes.

    Raises:
        ValueError: If shapes do not fit, or k or temperature is out of
            range.
    """
    _check(bank, bank_labels)
    if queries.ndim != 2 or queries.shape[1] != bank.shape[1]:
        raise ValueError(
            f'expected queries (Q, {bank.shape[1]}), of as many dimensions '
            f'as the bank, got {tuple(queries.shape)}'
        )
    most = len(bank) - (own is not None)
    if not 1 <= k <= most:
        raise ValueError(
            f'k is {k}, but there are {most} neighbours to choose from; '
            f'choose k from 1 to {most} or a larger bank'
        )
    if temperature <= 0:
        raise ValueError(f'temperature must be above 0, got {temperature}')
    votes = queries.new_zeros(len(queries), num_classes, dtype=torch.float32)
    for start in range(0, len(queries), _CHUNK):
        part = slice(start, start + _CHUNK)
        cosines, index = nearest(
            queries[part].float(), bank, k, None if own is None else own[part]
        )
        weight = ((cosines - cosines[:, :1]) / temperature).exp()
        votes[part].scatter_add_(1, bank_labels[index].long(), weight)
    return votes


def centred_knn_votes(
    queries: Tensor, bank: Tensor, bank_labels: Tensor, **kwargs
) -> Tensor:
    """:func:`knn_votes` of features centred by the bank's mean.

    Features of a young encoder are nearly alike; what they share makes every
    cosine nearly 1, and the votes nearly equal.

    Args:
        queries (Tensor): (Q, D), of any length.
        bank (Tensor): (M, D), of any length.
        bank_labels (Tensor): (M,) class indices from 0.
        **kwargs: See :func:`knn_votes`.

    Returns:
        Tensor: (Q, C) float32, see :func:`knn_votes`.

    Raises:
        ValueError: As :func:`knn_votes`.
    """
    _check(bank, bank_labels)
    mean = bank.double().mean(dim=0)
    return knn_votes(
        F.normalize(queries.double() - mean, dim=1).float(),
        F.normalize(bank.double() - mean, dim=1).float(),
        bank_labels,
        **kwargs,
    )


def knn_accuracy(
    features: Tensor, labels: Tensor, *, k: int = 20, temperature: float = 0.07
) -> float:
    """Leave-one-out accuracy of a weighted kNN classifier.

    Features are L2-normalised; a sample's neighbours are among the *other*
    samples.

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
    _check(features, labels)
    features = F.normalize(features.float(), dim=1)
    num_classes = int(labels.max()) + 1
    own = torch.arange(len(features), device=features.device)
    right = 0
    # In parts, because the votes are N x num_classes.
    for part in own.split(_CHUNK):
        votes = knn_votes(
            features[part],
            features,
            labels,
            num_classes=num_classes,
            k=k,
            temperature=temperature,
            own=part,
        )
        right += int((votes.argmax(dim=1) == labels[part]).sum())
    return right / len(features)


def nearest(
    queries: Tensor, bank: Tensor, k: int, own: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Similarities and bank indices of the k nearest, both (Q, k)."""
    best = queries.new_empty(len(queries), 0)
    places = torch.empty_like(best, dtype=torch.long)
    for start in range(0, len(bank), _BANK_CHUNK):
        part = bank[start : start + _BANK_CHUNK]
        similarity = queries @ part.T.to(queries)
        if own is not None:
            here = ((own >= start) & (own < start + len(part))).nonzero()[:, 0]
            similarity[here, own[here] - start] = -torch.inf
        found, place = similarity.topk(min(k, len(part)), dim=1)
        # Those of this part compete with the best of the parts before.
        best = torch.cat([best, found], dim=1)
        places = torch.cat([places, place + start], dim=1)
        best, order = best.topk(min(k, best.shape[1]), dim=1)
        places = places.gather(1, order)
    return best, places


def _check(features: Tensor, labels: Tensor) -> None:
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            'expected features (N, D) and labels (N,), got '
            f'{tuple(features.shape)} and {tuple(labels.shape)}'
        )
