"""A task's dataloader that can be resumed at any position."""

import copy
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.dist import broadcast_object_list, get_world_size
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mcjepa_mm.datasets.seeded import SeededSampler
from mcjepa_mm.engine.worker_signals import (
    block_signals,
    end_workers,
    set_worker_signals,
)
from mcjepa_mm.utils.random_state import preserved_random_state


class TaskStream:
    """A dataloader with a position that can be saved and restored.

    Every pass over the data shuffles anew, and every sample is augmented by
    its place in the pass (see :mod:`mcjepa_mm.datasets.seeded`). The position
    counts batches that were handed out, not those that workers have read
    ahead.

    Args:
        name (str): What the stream is called in messages.
        dataloader (dict): mmengine's config of a dataloader.
        runner (Runner): Whose seed it has.
        key (str, optional): By which its position is saved and its random
            numbers are drawn. Defaults to ``name``.

    Raises:
        TypeError: If ``dataloader`` is not a config, or has a
            ``batch_sampler``: its batches could not be counted in samples.
        ValueError: If its data set gives no batch.
    """

    def __init__(
        self,
        name: str,
        dataloader: dict,
        runner: Runner,
        key: str | None = None,
    ) -> None:
        if not isinstance(dataloader, Mapping):
            raise TypeError(
                f'The dataloader of {name!r} must be a config, so that its '
                'samples can be given their seeds; got '
                f'{type(dataloader).__name__}.'
            )
        if 'batch_sampler' in dataloader:
            raise TypeError(
                f'The dataloader of {name!r} has a batch_sampler, whose place '
                'cannot be resumed. Give a sampler and a batch_size, or train '
                "with mmengine's loop: train_cfg=dict(by_epoch=True, ...)."
            )
        self.name = name
        self.key = key or name
        self.loader = _build(name, dataloader, runner, self.key)
        if not len(self.loader):
            raise ValueError(
                f'The dataloader of {name!r} gives no batch: its data set has '
                f'{len(self.loader.dataset)} samples, a batch takes '
                f'{self.loader.batch_sampler.batch_size * get_world_size()} '
                '(all processes together), and drop_last=True leaves out a '
                'smaller one. Give more data or a smaller `batch_size`.'
            )
        self.sampler: SeededSampler = self.loader.batch_sampler.sampler
        self.epoch = 0
        self.batches = 0
        self._running: Iterator | None = None

    def __len__(self) -> int:
        """Number of batches of a pass."""
        return len(self.loader)

    @property
    def samples_per_batch(self) -> int:
        """int: Samples in a batch of all processes together."""
        return self.loader.batch_sampler.batch_size * get_world_size()

    def begin(self, epoch: int) -> None:
        """Set the position to the beginning of a pass."""
        self.epoch = epoch
        self.batches = 0

    def rest_of_epoch(self) -> Iterator[tuple[int, Any]]:
        """Iterate over the rest of this pass, with batch numbers."""
        self.sampler.set_epoch(self.epoch)
        first = self.batches
        self.sampler.set_begin(first * self.loader.batch_sampler.batch_size)
        # a new iterator draws a seed for its workers
        with preserved_random_state(), block_signals():
            self._running = iter(self.loader)
        for number, batch in enumerate(self._running, first):
            self.batches = number + 1
            yield number, batch

    def endless(self) -> Iterator[Any]:
        """Iterate endlessly, pass after pass."""
        while True:
            for _, batch in self.rest_of_epoch():
                yield batch
            self.begin(self.epoch + 1)

    def close(self) -> None:
        """Shut down the workers; a later iterator starts new ones.

        The iterators that were given out cannot go on. The position stays.
        """
        end_workers(self.loader, self._running)
        self._running = None

    def state_dict(self) -> dict[str, int]:
        """Return the position in the data.

        Returns:
            dict[str, int]: ``seed``, ``epoch`` (the pass), ``batches`` given
            of it, ``samples_per_batch``, and ``places`` where the order
            depends on them.
        """
        state = dict(
            seed=self.sampler.seed,
            epoch=self.epoch,
            batches=self.batches,
            samples_per_batch=self.samples_per_batch,
        )
        if getattr(self.sampler.sampler, 'pairs_per_seek', 1) > 1:
            state['places'] = self.sampler.sampler.places
        return state

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Restore a saved position.

        With batches of another size, to the batch in which the sample that
        comes next is.
        """
        self.sampler.set_seed(state['seed'])
        if 'places' in state:
            # the order stays, with another number of workers as well
            self.sampler.sampler.places = state['places']
        self.epoch = state['epoch']
        samples = state['batches'] * state['samples_per_batch']
        self.batches = samples // self.samples_per_batch
        if state['samples_per_batch'] != self.samples_per_batch:
            print_log(
                f'The checkpoint was made with {state["samples_per_batch"]} '
                f'samples of {self.name!r} in a batch (all processes '
                f'together), now there are {self.samples_per_batch}: the '
                'resumed run is not exactly the one that was stopped.',
                logger='current',
                level=logging.WARNING,
            )


def _build(
    name: str, dataloader: dict, runner: Runner, key: str
) -> DataLoader:
    config = copy.deepcopy(dict(dataloader))
    if 'length' in config['sampler'] and 'num_batch_per_epoch' in config:
        # FixedLengthSampler says how long an epoch is, the data set does not
        config['sampler'] = dict(
            config['sampler'],
            length=config.pop('num_batch_per_epoch')
            * config['batch_size']
            * get_world_size(),
        )
    if 'pairs_per_seek' in config['sampler']:
        # each worker of each process reads on from places of its own
        workers = max(1, config.get('num_workers', 0))
        batch = config['batch_size'] * get_world_size()
        config['sampler'] = {'places': batch * workers, **config['sampler']}
    config['dataset'] = dict(
        type='mcjepa_mm.SeededDataset', dataset=config['dataset']
    )
    config['sampler'] = dict(
        type='mcjepa_mm.SeededSampler', sampler=config['sampler'], stream=key
    )
    # with `diff_rank_seed` each process has a seed of its own
    seeds = [runner.seed]
    broadcast_object_list(seeds)
    loader = runner.build_dataloader(config, seed=seeds[0])
    _check_length(name, config, loader)
    set_worker_signals(loader)
    return loader


def _check_length(name: str, config: dict, loader: DataLoader) -> None:
    batches = config.get('num_batch_per_epoch')
    if batches is None:
        return
    # mmengine takes its word for it, and would index behind the end
    wanted, there = len(loader.dataset), len(loader.dataset._dataset)
    if wanted > there:
        raise ValueError(
            f'The dataloader of {name!r}: num_batch_per_epoch={batches} takes '
            f'{wanted} samples, the data set has {there}. Give it fewer, or '
            'leave it out for a pass over all of them.'
        )
