"""Timing, peak memory and peak rates of the machine."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmarks._case import Case, Work

# Of a matrix that keeps the device busy for far longer than a call takes.
MATRIX_SIDE = dict(cpu=2048, cuda=8192)
COPIED_BYTES = 2**28  # far more than any cache holds
FLOOR = 'floor'
_REPEATS = 5  # of a rate


def synchronizer(device: str) -> Callable[[], None]:
    """What waits until the device has done all it was given."""
    if torch.device(device).type == 'cuda':
        return partial(torch.cuda.synchronize, device)
    return lambda: None


def seconds(
    work: Callable,
    synchronize: Callable[[], None],
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """How long one run takes."""
    synchronize()
    start = clock()
    work()
    synchronize()
    return clock() - start


def matrix_rate(device: str, dtype: torch.dtype = torch.float32) -> float:
    """Floating-point operations a second of a matrix product."""
    side = MATRIX_SIDE[torch.device(device).type]
    x = torch.rand(side, side, device=device, dtype=dtype)
    times = [
        seconds(lambda: x @ x, synchronizer(device)) for _ in range(_REPEATS)
    ]
    return 2 * side**3 / statistics.median(times)


def copy_rate(device: str) -> float:
    """Bytes a second that a copy reads and writes, the two together."""
    x = torch.ones(COPIED_BYTES // 4, device=device)
    y = torch.ones_like(x)
    times = [
        seconds(lambda: y.copy_(x), synchronizer(device))
        for _ in range(_REPEATS)
    ]
    return 2 * COPIED_BYTES / statistics.median(times)


def interleaved(case: Case, runs: int, device: str) -> dict[str, list[float]]:
    """Seconds of each side, run in turn after one run that is not counted.

    That first run of each side is where results are compared. The last side
    of a case that knows its work is FLOOR: what the machine would need at
    best, by its rates between the runs.

    Raises:
        SystemExit: If the results of a side differ from ours.
    """
    works = {name: make() for name, make in case.sides.items()}
    if case.tolerance is None:
        for work in works.values():
            work()
    else:
        _compare(case, works)
    synchronize = synchronizer(device)
    clock = time.process_time if case.is_cpu_time else time.perf_counter
    times = {name: [] for name in works}
    turn = list(works.items())
    for _ in range(runs):
        for name, work in turn:
            if case.prepare:
                case.prepare()
            taken = seconds(work, synchronize, clock)
            times[name].append(taken / case.samples)
        if floor := _floor(case, device):
            times.setdefault(FLOOR, []).append(floor / case.samples)
        # None is always the one behind the same other, whose data the cache
        # holds.
        turn = [*turn[1:], turn[0]]
    return times


def _floor(case: Case, device: str) -> float:
    """Seconds that the rates of this moment allow at best, 0 if unknown."""
    needs = (case.flops, matrix_rate), (case.traffic, copy_rate)
    return max((n / rate(device) for n, rate in needs if n), default=0.0)


def peak_memory(make: Callable[[], Work], device: str) -> int:
    """Bytes that a side takes at most while it works, once, in this process.

    On a CPU, the most memory that was resident, less what was before weights
    and inputs were built; on a GPU, the most that was allocated.
    """
    if torch.device(device).type == 'cuda':
        make()()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device)
    before = _resident('VmRSS')
    work = make()
    # Building may have taken more for a while; 5 resets the mark (Linux).
    Path('/proc/self/clear_refs').write_text('5')
    work()
    return _resident('VmHWM') - before


def _resident(name: str) -> int:
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f'/proc/self/status has no {name}')


def _compare(case: Case, works: dict[str, Work]) -> None:
    (_, ours), *others = works.items()
    expected = _results(ours)
    for name, work in others:
        found = _results(work)
        errors = [
            float((a - b).norm() / b.norm()) for a, b in zip(found, expected)
        ]
        if len(found) != len(expected) or not max(errors) <= case.tolerance:
            raise SystemExit(
                f'{case.shape}: {name} and ours must do the same work, but '
                f'their results differ by {errors} of their norm (at most '
                f'{case.tolerance} is allowed)'
            )


def _results(work: Work) -> list[Tensor]:
    return [x.detach().double() for x in work()]
