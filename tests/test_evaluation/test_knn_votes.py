import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import mcjepa_mm.models.knn as module
from mcjepa_mm.evaluation.functional import (
    centred_knn_votes,
    knn_accuracy,
    knn_votes,
)


def brute_force(queries, bank, labels, num_classes, k, temperature):
    """All pairs in float64: votes scaled to sum 1, (Q, C)."""
    queries, bank = np.float64(queries), np.float64(bank)
    votes = np.zeros((len(queries), num_classes))
    for i, query in enumerate(queries):
        cos = bank @ query
        cos /= np.linalg.norm(bank, axis=1) * np.linalg.norm(query)
        for j in np.argsort(-cos)[:k]:
            votes[i, labels[j]] += math.exp(cos[j] / temperature)
    return votes / votes.sum(axis=1, keepdims=True)


@pytest.mark.parametrize('k, temperature', [(1, 0.07), (20, 0.07), (90, 0.5)])
@pytest.mark.parametrize('chunks', [(1024, 65536), (7, 11), (64, 1)])
def test_votes_equal_brute_force(k, temperature, chunks, monkeypatch):
    monkeypatch.setattr(module, '_CHUNK', chunks[0])
    monkeypatch.setattr(module, '_BANK_CHUNK', chunks[1])
    torch.manual_seed(0)
    labels = torch.randint(5, (90,))
    bank = torch.randn(90, 6) + 2 * F.one_hot(labels, 6)
    queries = torch.randn(33, 6)
    votes = knn_votes(
        F.normalize(queries, dim=1),
        F.normalize(bank, dim=1),
        labels,
        num_classes=7,
        k=k,
        temperature=temperature,
    )
    expected = brute_force(queries, bank, labels, 7, k, temperature)
    np.testing.assert_allclose(
        votes / votes.sum(dim=1, keepdim=True), expected, rtol=1e-4, atol=1e-6
    )


def test_a_low_temperature_neither_overflows_nor_vanishes():
    votes = knn_votes(
        torch.tensor([[-1.0, 0.0]]),
        torch.tensor([[1.0, 0.0], [0.8, 0.6]]),
        torch.tensor([0, 1]),
        num_classes=2,
        k=2,
        temperature=1e-3,
    )
    assert votes.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize('bank_chunk', [4, 65536])
def test_leave_one_out_is_a_bank_without_the_query(bank_chunk, monkeypatch):
    monkeypatch.setattr(module, '_CHUNK', 3)
    monkeypatch.setattr(module, '_BANK_CHUNK', bank_chunk)
    torch.manual_seed(1)
    labels = torch.randint(3, (17,))
    features = torch.randn(17, 4)
    right = 0
    for i in range(17):
        others = torch.arange(17) != i
        votes = brute_force(
            features[i : i + 1], features[others], labels[others], 3, 5, 0.2
        )
        right += int(votes[0].argmax() == labels[i])
    accuracy = knn_accuracy(features, labels, k=5, temperature=0.2)
    assert accuracy == pytest.approx(right / 17)


def test_memory_is_bounded_by_the_chunks(monkeypatch):
    monkeypatch.setattr(module, '_CHUNK', 8)
    monkeypatch.setattr(module, '_BANK_CHUNK', 16)
    largest = 0
    topk = torch.Tensor.topk

    def watched(self, *args, **kwargs):
        nonlocal largest
        largest = max(largest, self.numel())
        return topk(self, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, 'topk', watched)
    bank = F.normalize(torch.randn(200, 3), dim=1)
    labels = torch.zeros(200, dtype=torch.long)
    knn_votes(bank, bank, labels, num_classes=1, k=5)
    assert largest <= 8 * 16


@pytest.mark.parametrize(
    'words, match',
    [
        (dict(k=5), 'k is 5, but there are 4 neighbours'),
        (dict(k=4, own=torch.arange(2)), 'k is 4, but there are 3'),
        (dict(k=0), 'choose k from 1 to 4'),
        (dict(k=1, temperature=0.0), 'temperature'),
        (dict(k=1, queries=torch.rand(2, 3)), r'queries \(Q, 2\).*\(2, 3\)'),
        (dict(k=1, bank_labels=torch.zeros(3)), r'labels \(N,\), got'),
    ],
)
def test_what_does_not_fit_is_refused(words, match):
    given = dict(
        queries=torch.rand(2, 2),
        bank=torch.rand(4, 2),
        bank_labels=torch.zeros(4, dtype=torch.long),
        num_classes=1,
    )
    with pytest.raises(ValueError, match=match):
        knn_votes(**{**given, **words})


def test_centred_votes_do_not_see_what_all_features_share():
    rng = torch.Generator().manual_seed(0)
    bank = torch.randn(40, 6, generator=rng)
    labels = torch.arange(40) % 3
    queries = torch.randn(9, 6, generator=rng)
    mean = bank.mean(dim=0)
    expected = knn_votes(
        F.normalize(queries - mean, dim=1),
        F.normalize(bank - mean, dim=1),
        labels,
        num_classes=3,
        k=5,
    )
    found = centred_knn_votes(
        queries + 50, bank + 50, labels, num_classes=3, k=5
    )
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
