"""Benchmark cases: the same work by several implementations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from torch import Tensor

# Does the work once; returns what it came to, to be compared, or None.
Work = Callable[[], Sequence[Tensor] | None]


@dataclass
class Case:
    """Implementations of the same work at one shape.

    Args:
        shape (str): As it is printed.
        sides (dict[str, Callable]): By name, the first is ours. A side is a
            function that builds inputs and weights, the same on every side,
            and returns a function that does the work once.
        flops (float, optional): The least number of floating-point operations
            of the work, 2 for a multiplication with an addition.
        traffic (float, optional): The least number of bytes that have to be
            read and written.
        tolerance (float, optional): The largest error of a side's results
            relative to our norm; None if they cannot be compared.
        samples (int): How many samples the work is for. Times are printed
            for one of them.
        is_cpu_time (bool): Whether times are those that this process computed
            for, in all of its threads, and not those that passed.
        prepare (Callable, optional): Called before each run; not timed.
    """

    shape: str
    sides: dict[str, Callable[[], Work]]
    flops: float | None = None
    traffic: float | None = None
    tolerance: float | None = 1e-3
    samples: int = 1
    is_cpu_time: bool = False
    prepare: Callable[[], None] | None = None


def optional(
    sides: dict[str, Callable[[], Work]], *modules: str
) -> dict[str, Callable[[], Work]]:
    """The sides, or none of them and a line if a package is not installed.

    The modules are imported here, so that they are no part of the memory that
    a side takes.
    """
    missing = [x for x in modules if find_spec(x.partition('.')[0]) is None]
    if missing:
        print(
            f'left out: {", ".join(sides)}: {", ".join(missing)} is not '
            'installed, see requirements/benchmark.txt'
        )
        return {}
    for name in modules:
        import_module(name)
    return sides
