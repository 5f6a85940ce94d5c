"""Whole sequences to a process, also where there are more processes."""

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mcjepa_mm.datasets import SequenceSampler
from mcjepa_mm.datasets.samplers.sequence_sampler import share_out
from mcjepa_mm.registry import DATA_SAMPLERS


class Frames(Dataset):
    """A number for each frame of sequences of some lengths."""

    metainfo = dict(dataset_type='toy')

    def __init__(self, *lengths):
        ends = np.cumsum(lengths).tolist()
        self.sequences = [range(e - n, e) for e, n in zip(ends, lengths)]

    def __len__(self):
        return self.sequences[-1].stop

    def __getitem__(self, index):
        return dict(inputs=torch.tensor(index))


def sampler(*lengths, **kwargs):
    # as Runner.build_dataloader builds it
    default_args = dict(dataset=Frames(*lengths), seed=3)
    config = dict(type='mcjepa_mm.SequenceSampler', **kwargs)
    return DATA_SAMPLERS.build(config, default_args=default_args)


def test_one_process_reads_all_in_order():
    read = sampler(3, 1, 4)
    assert list(read) == [*range(8)]
    assert list(read) == [*range(8)]
    assert len(read) == 8


def test_shuffling_moves_whole_sequences():
    lengths = (3, 1, 4, 2, 5)
    sequences = Frames(*lengths).sequences
    read = sampler(*lengths, shuffle=True)
    orders = set()
    for epoch in range(30):
        read.set_epoch(epoch)
        frames = list(read)
        assert list(read) == frames and len(read) == len(frames) == 15
        order, left = [], list(sequences)
        while frames:
            [sequence] = [s for s in left if s.start == frames[0]]
            assert frames[: len(sequence)] == list(sequence)
            frames = frames[len(sequence) :]
            left.remove(sequence)
            order.append(sequence.start)
        orders.add(tuple(order))
    assert len(orders) > 20
    other = SequenceSampler(Frames(*lengths), shuffle=True, seed=3)
    other.set_epoch(29)
    read.set_epoch(29)
    assert list(other) == list(read)


def test_shares_are_balanced_by_hand():
    assert share_out([5, 9, 3, 3, 2], 2) == [[1, 4], [0, 2, 3]]
    assert share_out([4, 4, 4], 2) == [[0, 2], [1]]
    assert share_out([7], 3) == [[0], [], []]
    assert share_out([], 2) == [[], []]


def test_shares_are_a_partition_and_differ_by_at_most_a_sequence():
    rng = np.random.default_rng(0)
    for _ in range(200):
        lengths = rng.integers(1, 100, rng.integers(1, 40)).tolist()
        shares = share_out(lengths, int(rng.integers(1, 9)))
        assert sorted(sum(shares, [])) == [*range(len(lengths))]
        frames = [sum(lengths[i] for i in share) for share in shares]
        # what is least of a share came before its last sequence
        assert max(frames) - min(frames) <= max(lengths)


def test_random_seed_where_none_is_given():
    read = SequenceSampler(Frames(2, 3), shuffle=True)
    assert sorted(read) == [*range(5)] and read.seed >= 0


def test_data_without_sequences():
    with pytest.raises(TypeError, match='sequences.*TensorData'):
        SequenceSampler(torch.utils.data.TensorDataset(torch.zeros(3)))


class Echo(BaseModel):
    def __init__(self):
        super().__init__()
        # DistributedDataParallel wants one
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return [dict(index=int(index)) for index in inputs]


class Collect(BaseMetric):
    def process(self, data_batch, data_samples):
        self.own = getattr(self, 'own', [])
        self.own += [sample['index'] for sample in data_samples]
        self.results += [sample['index'] for sample in data_samples]

    def compute_metrics(self, results):
        return dict(read=results)


def share(rank, folder):
    """What one of two processes reads of some data sets, by a test loop."""
    results = []
    for lengths in ((2, 5, 3, 1), (4,)):
        metric = Collect()
        runner = Runner(
            Echo(),
            work_dir=f'{folder}/work',
            launcher='pytorch',
            cfg=dict(
                model_wrapper_cfg=dict(
                    type='MMDistributedDataParallel', device_ids=None
                )
            ),
            test_dataloader=dict(
                batch_size=1,
                num_workers=1,
                sampler=dict(type='mcjepa_mm.SequenceSampler'),
                dataset=Frames(*lengths),
                collate_fn=pseudo_collate,
            ),
            test_evaluator=[metric],
            test_cfg=dict(type='TestLoop'),
            experiment_name=f'{rank}_{len(lengths)}',
        )
        metrics = runner.test()
        results.append([getattr(metric, 'own', []), metrics['read']])
    return results


@pytest.mark.slow
def test_two_processes_read_every_frame_once(tmp_path, two_processes):
    shares = two_processes(__file__, tmp_path)
    (first, read), (second, also) = (share[0] for share in shares)
    # 5 and 1 frames against 3 and 2
    assert first == [2, 3, 4, 5, 6, 10] and second == [0, 1, 7, 8, 9]
    assert sorted(read) == sorted(also) == [*range(11)]
    # one sequence: the other process has nothing to do, and does not hang
    (first, read), (second, also) = (share[1] for share in shares)
    assert first == [0, 1, 2, 3] and second == []
    assert read == also == [0, 1, 2, 3]
