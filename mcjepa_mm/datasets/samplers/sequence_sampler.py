import heapq
from collections.abc import Iterator, Sequence

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Dataset, Sampler

from mcjepa_mm.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class SequenceSampler(Sampler):
    """Distribute whole sequences over processes, in frame order.

    mmengine's DefaultSampler deals frames out one by one and repeats some, so
    that processes have equally many. Here every frame occurs once, in one
    process, and processes have about equally many: none, where there are
    fewer sequences than processes.

    Args:
        dataset (Dataset): A :class:`~mcjepa_mm.datasets.VideoSegmentation`,
            or another with ``sequences``, a range of indices for each.
        shuffle (bool): Whether each process reads its sequences in a random
            order, another one in each epoch. Defaults to False: in the order
            of the data set.
        seed (int, optional): Seed of these orders. By default the processes
            agree on a random one.

    Raises:
        TypeError: If the data set does not tell its sequences.
    """

    def __init__(
        self,
        dataset: Dataset,
        shuffle: bool = False,
        seed: int | None = None,
    ) -> None:
        if not hasattr(dataset, 'sequences'):
            raise TypeError(
                'SequenceSampler needs a data set with `sequences`, such as '
                f'DAVIS2017, got {type(dataset).__name__}; take '
                'DefaultSampler for data without them'
            )
        rank, world_size = get_dist_info()
        sequences = list(dataset.sequences)
        shares = share_out([len(s) for s in sequences], world_size)
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self._sequences = [sequences[i] for i in shares[rank]]

    def __iter__(self) -> Iterator[int]:
        order = np.arange(len(self._sequences))
        if self.shuffle:
            rng = np.random.default_rng((self.seed, self.epoch))
            order = rng.permutation(len(self._sequences))
        for number in order:
            yield from self._sequences[number]

    def __len__(self) -> int:
        return sum(len(sequence) for sequence in self._sequences)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; each has its own order."""
        self.epoch = epoch


def share_out(lengths: Sequence[int], num_shares: int) -> list[list[int]]:
    """Distribute sequences so that processes have similar frame counts.

    The longest first, each to whom has the fewest frames so far: the largest
    share has at most a sequence more than any other.

    Returns:
        list[list[int]]: Numbers of the sequences of each process, ascending.
    """
    shares: list[list[int]] = [[] for _ in range(num_shares)]
    loads = [(0, share) for share in range(num_shares)]
    for number in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        frames, share = heapq.heappop(loads)
        shares[share].append(number)
        heapq.heappush(loads, (frames + lengths[number], share))
    return [sorted(share) for share in shares]
