"""Random states derived from keys, independent of earlier draws.

A training that is stopped and resumed has to draw the numbers that it would
have drawn. Nothing has to be saved for that if each step and each sample
starts from a state of its own: see :func:`seed_step` and
:class:`~mcjepa_mm.datasets.SeededDataset`.
"""

import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive_seed(*key: int | str) -> int:
    """Mix a key into one seed.

    Args:
        *key (int | str): What the seed is for: integers from 0, and names.

    Returns:
        int: 0 to 2**32 - 1, the same for the same key on every machine.
    """
    numbers = [
        zlib.crc32(part.encode()) if isinstance(part, str) else part
        for part in key
    ]
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def seed_step(seed: int, rank: int, iteration: int) -> None:
    """Seed Python, numpy and torch on every device for a step.

    Args:
        seed (int): The run's.
        rank (int): The process's, so that no two drop the same units.
        iteration (int): The step's.
    """
    derived = derive_seed('step', seed, rank, iteration)
    random.seed(derived)
    np.random.seed(derived)
    torch.manual_seed(derived)


def seed_sample(seed: int) -> None:
    """Seed Python, numpy and torch on the CPU for a sample.

    Args:
        seed (int): 0 to 2**32 - 1.
    """
    random.seed(seed)
    np.random.seed(seed)
    # torch.manual_seed would reach for the GPUs, in every worker
    torch.default_generator.manual_seed(seed)


@contextmanager
def preserved_random_state() -> Iterator[None]:
    """Restore every global random state on exit."""
    python, numpy = random.getstate(), np.random.get_state()
    # in a forked worker CUDA cannot be asked, and is not used
    used = torch.cuda.is_initialized()
    with torch.random.fork_rng(
        devices=[torch.cuda.current_device()] if used else []
    ):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
