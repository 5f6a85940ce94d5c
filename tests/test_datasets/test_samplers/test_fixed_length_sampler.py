"""Epochs of one length on data of any size."""

from collections import Counter

import pytest

from mcjepa_mm.datasets import FixedLengthSampler
from mcjepa_mm.datasets.samplers import fixed_length_sampler


def epochs(count, size, length, **kwargs):
    sampler = FixedLengthSampler(range(size), length, seed=3, **kwargs)
    found = []
    for epoch in range(count):
        sampler.set_epoch(epoch)
        found.append(list(sampler))
        assert len(sampler) == len(found[-1])
    return found


@pytest.mark.parametrize('size', [1, 3, 10, 11, 64])
def test_an_epoch_is_as_long_as_asked(size):
    found = epochs(7, size, 10)
    assert [len(epoch) for epoch in found] == [10] * 7
    together = sum(found, [])
    # no sample comes again before every other came
    for begin in range(0, 70 - size + 1, size):
        assert sorted(together[begin : begin + size]) == list(range(size))
    assert together != epochs(7, size, 10, shuffle=False)[0] or size == 1
    assert found == epochs(7, size, 10)
    other = FixedLengthSampler(range(64), 10, seed=4)
    assert list(other) != epochs(1, 64, 10)[0]


def test_passes_differ_and_are_in_order_without_shuffling():
    first, second = epochs(2, 20, 20)
    assert first != second and sorted(first) == sorted(second)
    assert epochs(2, 3, 4, shuffle=False) == [[0, 1, 2, 0], [1, 2, 0, 1]]


def test_processes_share_an_epoch(monkeypatch):
    whole = epochs(1, 5, 8)[0]
    shares = []
    for rank in range(2):
        monkeypatch.setattr(
            fixed_length_sampler, 'get_dist_info', lambda r=rank: (r, 2)
        )
        shares.append(epochs(1, 5, 8)[0])
    assert [x for pair in zip(*shares) for x in pair] == whole
    assert max(Counter(whole).values()) == 2


def test_refuses_what_makes_no_epoch():
    with pytest.raises(ValueError, match='length must be positive, got 0'):
        FixedLengthSampler(range(3), 0)
    with pytest.raises(ValueError, match='range has no sample'):
        FixedLengthSampler(range(0), 3)
