"""Samples that depend on their place, not on who makes them."""

import pickle
import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from mcjepa_mm.datasets import BadSampleError, BadSampleGuard
from mcjepa_mm.datasets.seeded import (
    SeededDataset,
    SeededIndex,
    SeededSampler,
)


class Noise(Dataset):
    """A sample is its index and a number of each random state."""

    metainfo = dict(name='noise')

    def __init__(self, length=12):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        drawn = random.random(), np.random.rand(), torch.rand(1).item()
        return (int(index), *drawn)


def samples(workers=0, batch_size=1, begin=0, epoch=0, stream='a', seed=5):
    dataset = SeededDataset(Noise())
    sampler = SeededSampler(
        dataset, dict(type='DefaultSampler', shuffle=True), stream, seed
    )
    sampler.set_epoch(epoch)
    sampler.set_begin(begin)
    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=list,
    )
    assert len(loader) == 12 // batch_size
    return [sample for batch in loader for sample in batch]


def test_workers_and_batches_do_not_change_a_sample():
    alone = samples()
    assert samples(workers=2) == alone
    assert samples(workers=1, batch_size=4) == alone
    assert len({x[1] for x in alone} | {x[2] for x in alone}) == 24


def test_passes_streams_and_seeds_differ():
    kinds = [
        samples(),
        samples(epoch=1),
        samples(stream='b'),
        samples(seed=6),
    ]
    orders = {tuple(x[0] for x in kind) for kind in kinds}
    numbers = {x[3] for kind in kinds for x in kind}
    assert len(orders) == 4 and len(numbers) == 48
    assert all(sorted(order) == list(range(12)) for order in orders)


def test_processes_share_a_pass_out(monkeypatch):
    alone = samples()
    shares = []
    for rank in range(3):
        for module in (
            'mcjepa_mm.datasets.seeded',
            'mmengine.dataset.sampler',
        ):
            monkeypatch.setattr(
                f'{module}.get_dist_info', lambda rank=rank: (rank, 3)
            )
        dataset = SeededDataset(Noise())
        sampler = SeededSampler(
            dataset, dict(type='DefaultSampler', shuffle=True), 'a', 5
        )
        shares.append([dataset[i] for i in sampler])
    mixed = [x for group in zip(*shares) for x in group]
    assert mixed == alone


def test_random_states_are_left_alone():
    dataset = SeededDataset(Noise())
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    expected = dataset[0]  # an index without a seed draws from them
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    dataset[SeededIndex(3, 9)]
    assert dataset[0] == expected


def test_index_travels_with_its_seed():
    index = pickle.loads(pickle.dumps(SeededIndex(3, 9)))
    assert (index, index.seed) == (3, 9)
    assert [10, 11, 12, 13][index] == 13


def test_wrapped_data_set_is_reached():
    dataset = pickle.loads(pickle.dumps(SeededDataset(Noise(7))))
    assert (dataset.length, dataset.metainfo) == (7, dict(name='noise'))
    assert not hasattr(dataset, 'full_init')


class Damaged(Noise):
    """Draws before it finds that sample 0 is damaged."""

    def __getitem__(self, index):
        drawn = torch.rand(2)
        if index == 0:
            raise BadSampleError('damaged', 'file')
        return int(index), *drawn.tolist()


def test_replacement_is_the_same_once_the_damage_is_known():
    dataset = SeededDataset(BadSampleGuard(Damaged(), max_bad=3))
    first = dataset[SeededIndex(0, 4)]
    assert dataset[SeededIndex(0, 4)] == first
    fresh = SeededDataset(BadSampleGuard(Damaged(), max_bad=3))
    assert fresh[SeededIndex(0, 4)] == first


@pytest.mark.parametrize('seed', [0, 2**32 - 1])
def test_any_seed_of_a_run_will_do(seed):
    assert len(samples(seed=seed)) == 12
