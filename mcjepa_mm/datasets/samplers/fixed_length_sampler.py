from collections.abc import Callable, Iterator

import numpy as np
import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Dataset, Sampler

from mcjepa_mm.registry import DATA_SAMPLERS
from mcjepa_mm.utils.random_state import derive_seed


@DATA_SAMPLERS.register_module()
class FixedLengthSampler(Sampler):
    """Sampler with a fixed epoch length, whatever the data set size.

    Samples come in one endless order of shuffled passes over the data set,
    and an epoch is the next ``length`` of them. So no sample comes a second
    time before each has come once, and a run of some epochs takes the same
    number of steps on any data.

    Args:
        dataset (Dataset): The data set.
        length (int, optional): Samples of an epoch, of all processes
            together. By default all of the data set.
        shuffle (bool): Whether passes are shuffled, each anew. Defaults to
            True.
        pairs_per_seek (int): Pairs that are read on from one place of a video
            when passes are shuffled, see :func:`order_by_places`. Defaults
            to 1: every pair is from another place.
        places (int, optional): From how many places pairs come in turns. By
            default as many as there are processes;
            :class:`~mcjepa_mm.engine.task_stream.TaskStream` makes it one for
            each sample of a batch in each worker.
        seed (int, optional): Seed of the order. By default the processes
            agree on a random one.

    Raises:
        TypeError: With ``pairs_per_seek`` above 1, if the samples are no
            pairs of frames.
        ValueError: If a number is not positive, or there is no sample.
    """

    def __init__(
        self,
        dataset: Dataset,
        length: int | None = None,
        shuffle: bool = True,
        *,
        pairs_per_seek: int = 1,
        places: int | None = None,
        seed: int | None = None,
    ) -> None:
        self._size = len(dataset)
        if not self._size:
            raise ValueError(
                f'{type(dataset).__name__} has no sample, of which an epoch '
                f'of {length or "all"} could be made'
            )
        self.length = self._size if length is None else length
        self.pairs_per_seek = pairs_per_seek
        self.places = get_dist_info()[1] if places is None else places
        for name in ('length', 'pairs_per_seek', 'places'):
            if getattr(self, name) < 1:
                raise ValueError(
                    f'{name} must be positive, got {getattr(self, name)}'
                )
        self._step = frame_span(dataset) if pairs_per_seek > 1 else 1
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        rank, world_size = get_dist_info()
        number, order = -1, np.empty(0)
        for k in range(rank, len(self) * world_size, world_size):
            # processes have equally many: the last ones begin the next epoch
            place = self.epoch * self.length + k
            if place // self._size != number:
                number = place // self._size
                order = self._order(number)
            yield int(order[place % self._size])

    def __len__(self) -> int:
        world_size = get_dist_info()[1]
        return -(-self.length // world_size)

    def set_epoch(self, epoch: int) -> None:
        """Select the epoch's part of the endless order."""
        self.epoch = epoch

    def _order(self, number: int) -> torch.Tensor | np.ndarray:
        """Order of the data set's indices in a pass."""
        if not self.shuffle:
            return torch.arange(self._size)
        seed = derive_seed('pass', self.seed, number)
        if self.pairs_per_seek > 1:
            return order_by_places(
                self._size, self.pairs_per_seek, self._step, self.places, seed
            )
        generator = torch.Generator().manual_seed(seed)
        return torch.randperm(self._size, generator=generator)


def order_by_places(
    size: int, per_place: int, step: int, places: int, seed: int
) -> np.ndarray:
    """Shuffle indices in groups that a decoder reads in one go.

    A group is ``per_place`` indices that are ``step`` apart, in ascending
    order. The order is made of ``places`` rows, in each of which groups follow
    each other; it takes one index of each row in its turn. So neighbours in
    the order are from different places, and every ``places``-th index is the
    next of its group.

    Args:
        size (int): Number of indices.
        per_place (int): Indices of a group.
        step (int): Distance of two that follow each other in a group.
        places (int): Rows.
        seed (int): Of the order, and of where groups begin.

    Returns:
        np.ndarray: (size,) int64, each index once.
    """
    rng = np.random.default_rng(seed)
    block = per_place * step
    shifted = np.arange(size) + rng.integers(block)
    # step groups to a block, each with a rest of the division of its own
    group = shifted // block * step + shifted % step
    turn = rng.permutation(int(group.max()) + 1)[group]
    order = turn.argsort(kind='stable')
    begins = np.flatnonzero(np.diff(turn[order], prepend=-1, append=-1))
    # rows of about one length, of whole groups
    cuts = np.arange(1, places) * size // places
    rows = np.split(order, begins[np.searchsorted(begins, cuts)])
    rounds = np.full((places, max(map(len, rows))), -1)
    for row, indices in zip(rounds, rows):
        row[: len(indices)] = indices
    order = rounds.T.ravel()
    return order[order >= 0]


def frame_span(dataset: Dataset) -> int:
    """Frames from the first to the last of a sample, the most of all parts.

    Raises:
        TypeError: If the samples are no pairs of frames.
    """
    spans = []
    for part in getattr(dataset, 'datasets', [dataset]):
        find: Callable = getattr(part, 'get_data_info', lambda index: {})
        info = find(0)
        if 'frame_indices' not in info:
            raise TypeError(
                'pairs_per_seek is for data sets of frame pairs, such as '
                f'FramePairs, got {type(part).__name__}; leave it out'
            )
        spans.append(info['frame_indices'][-1] - info['frame_indices'][0] + 1)
    return max(spans)
