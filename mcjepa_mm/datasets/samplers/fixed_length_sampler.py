from collections.abc import Iterator

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Dataset, Sampler

from mcjepa_mm.random_state import derive_seed
from mcjepa_mm.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class FixedLengthSampler(Sampler):
    """Make an epoch as long as one says, however large the data set is.

    Samples come in one endless order of shuffled passes over the data set,
    and an epoch is the next ``length`` of them. So no sample comes a second
    time before each has come once, and a run of some epochs takes the same
    number of steps on any data.

    Args:
        dataset (Dataset): The data set.
        length (int): Samples of an epoch, of all processes together.
        shuffle (bool): Whether passes are shuffled, each anew. Defaults to
            True.
        seed (int, optional): Seed of the order. By default the processes
            agree on a random one.

    Raises:
        ValueError: If ``length`` is not positive, or there is no sample.
    """

    def __init__(
        self,
        dataset: Dataset,
        length: int,
        shuffle: bool = True,
        seed: int | None = None,
    ) -> None:
        if length < 1:
            raise ValueError(f'length must be positive, got {length}')
        self._size = len(dataset)
        if not self._size:
            raise ValueError(
                f'{type(dataset).__name__} has no sample, of which an epoch '
                f'of {length} could be made'
            )
        self.length = length
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        rank, world_size = get_dist_info()
        number, order = -1, None
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
        """Choose the part of the endless order."""
        self.epoch = epoch

    def _order(self, number: int) -> torch.Tensor:
        """The data set's indices in a pass."""
        if not self.shuffle:
            return torch.arange(self._size)
        generator = torch.Generator()
        generator.manual_seed(derive_seed('pass', self.seed, number))
        return torch.randperm(self._size, generator=generator)
