"""Epochs of one length on data of any size."""

import itertools
from collections import Counter

import pytest

from mcjepa_mm.datasets import FixedLengthSampler
from mcjepa_mm.datasets.samplers import fixed_length_sampler
from mcjepa_mm.datasets.samplers.fixed_length_sampler import order_by_places


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


@pytest.mark.parametrize('size', [1, 50, 1000, 1003])
def test_pairs_of_a_place_come_in_turns_with_other_places(size):
    order = order_by_places(size, per_place=8, step=2, places=4, seed=3)
    assert sorted(order) == list(range(size))
    assert order.tolist() != order_by_places(size, 8, 2, 4, 4).tolist() or (
        size == 1
    )
    if size < 1000:
        return
    goes_on = order[4:] == order[:-4] + 2
    # seven of eight, until a row ends
    assert (order[4:32] == order[:28] + 2).mean() > 0.8
    assert 0.83 < goes_on.mean() <= 0.88
    near = abs(order[1:] - order[:-1]) < 16
    assert near.mean() < 0.1


class Pairs:
    def __init__(self, size, span):
        self.size, self.span = size, span

    def __len__(self):
        return self.size

    def get_data_info(self, index):
        return dict(frame_indices=(index, index + self.span - 1))


def test_the_pairs_of_a_place_share_no_frame():
    both = Pairs(100, 0)
    both.datasets = [Pairs(50, 2), Pairs(50, 3)]
    for dataset, step in ((Pairs(100, 2), 2), (both, 3)):
        sampler = FixedLengthSampler(dataset, pairs_per_seek=4, seed=1)
        order = list(sampler)
        assert sorted(order) == list(range(100))
        steps = Counter(b - a for a, b in itertools.pairwise(order))
        assert steps.most_common(1)[0][0] == step
    with pytest.raises(TypeError, match='range'):
        FixedLengthSampler(range(9), pairs_per_seek=2)
    with pytest.raises(ValueError, match='places.* 0'):
        FixedLengthSampler(Pairs(9, 2), places=0)


def test_refuses_what_makes_no_epoch():
    with pytest.raises(ValueError, match='length.* 0'):
        FixedLengthSampler(range(3), 0)
    with pytest.raises(ValueError, match='range'):
        FixedLengthSampler(range(0), 3)
