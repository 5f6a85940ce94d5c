"""Per-sample seeds: augmentation independent of workers and processes.

A dataloader's workers draw random numbers in the order in which samples
happen to reach them. Here every sample begins from a seed of its own, made
of the run's seed, the stream, the pass over the data and the sample's place
in it. So the same samples come, augmented alike, with any number of workers
and processes, and from the middle of a pass as well as from its beginning.
"""

from collections.abc import Iterator
from typing import Any

from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Dataset, Sampler

from mcjepa_mm.registry import DATA_SAMPLERS, DATASETS
from mcjepa_mm.utils.random_state import (
    derive_seed,
    preserved_random_state,
    seed_sample,
)


class SeededIndex(int):
    """A sample index that carries the seed of its augmentation."""

    seed: int

    def __new__(cls, index: int, seed: int) -> 'SeededIndex':
        self = super().__new__(cls, index)
        self.seed = seed
        return self

    def __getnewargs__(self) -> tuple[int, int]:  # type: ignore[override]
        return int(self), self.seed


@DATASETS.register_module()
class SeededDataset(Dataset):
    """Data set wrapper that seeds each sample by its index.

    The global random states stay as they were, so that a dataloader without
    workers does not disturb the training. An index without a seed passes
    through.

    Args:
        dataset (dict | Dataset): Data set, or its config.

    Raises:
        TypeError: If its samples cannot be asked for by their number.
    """

    def __init__(self, dataset: dict | Dataset) -> None:
        if isinstance(dataset, dict):
            dataset = DATASETS.build(dataset)
        refuse_iterable(dataset)
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        if not isinstance(index, SeededIndex):
            return self.dataset[index]
        with preserved_random_state():
            seed_sample(index.seed)
            return self.dataset[index]

    def __getattr__(self, name: str) -> Any:
        # whoever asks the loader's data set for something means the real one
        if name == 'dataset' or name.startswith('__'):
            raise AttributeError(name)
        return getattr(self.dataset, name)


def refuse_iterable(dataset: Dataset) -> None:
    """Refuse a data set that only gives one sample after the other.

    Raises:
        TypeError: Says why, and what to use.
    """
    kind = type(dataset)
    # an IterableDataset inherits the one of Dataset, which raises
    by_number = getattr(kind, '__getitem__', Dataset.__getitem__)
    if by_number is Dataset.__getitem__ or not hasattr(kind, '__len__'):
        raise TypeError(
            f'{kind.__name__} is iterable, and a training that resumes '
            'exactly asks for samples by their number: give a data set with '
            '__getitem__ and __len__, such as UnlabelledImages or FramePairs '
            'on a folder that `mim run mcjepa_mm pack` has packed.'
        )


@DATA_SAMPLERS.register_module()
class SeededSampler(Sampler):
    """Sampler wrapper that attaches a seed to each index; resumable.

    Args:
        dataset (Dataset): The data set.
        sampler (dict): Config of the sampler that chooses and shuffles. Its
            order must depend on its seed and epoch alone, and with W
            processes the k-th index of process r must be the (r + k * W)-th
            of the whole pass: mmengine's samplers are so.
        stream (str): Name of the stream of data. Streams of one name share
            their random numbers. Defaults to ''.
        seed (int, optional): The run's, the same on all processes; by
            default the main process draws it.
    """

    def __init__(
        self,
        dataset: Dataset,
        sampler: dict,
        stream: str = '',
        seed: int | None = None,
    ) -> None:
        self.stream = stream
        self.sampler = DATA_SAMPLERS.build(
            sampler, default_args=dict(dataset=dataset, seed=0)
        )
        self.set_seed(sync_random_seed() if seed is None else seed)
        self.epoch = 0
        self.begin = 0

    def set_seed(self, seed: int) -> None:
        """Set the run's seed, such as that of a resumed run."""
        self.seed = seed
        # An order of its own for each stream. Samplers add the epoch to it.
        self.sampler.seed = derive_seed('order', seed, self.stream)

    def set_epoch(self, epoch: int) -> None:
        """Set the pass over the data."""
        self.epoch = epoch
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def set_begin(self, begin: int) -> None:
        """Skip the first ``begin`` samples of this process's pass."""
        self.begin = begin

    def __len__(self) -> int:
        """Length of a whole pass, wherever it begins."""
        return len(self.sampler)

    def __iter__(self) -> Iterator[SeededIndex]:
        rank, world_size = get_dist_info()
        epoch = self.epoch  # mmengine sets another while this one lasts
        for k, index in enumerate(self.sampler):
            if k >= self.begin:
                place = rank + k * world_size
                key = ('sample', self.seed, self.stream, epoch, place)
                yield SeededIndex(index, derive_seed(*key))
