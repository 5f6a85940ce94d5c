"""Dataloader workers that end when their main process says so.

Not sooner, when a stop of the whole job reaches them as well, and not later,
when a run is over and the program goes on.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import parent_process, resource_tracker
from threading import Thread

from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Linux. Elsewhere workers end by signals as any program does.
_CAN_WAIT = hasattr(signal, 'sigwaitinfo')


def protect_workers(loader: DataLoader) -> None:
    """Let the workers of a dataloader obey their main process only.

    Args:
        loader (DataLoader): Not iterated yet. Its own ``worker_init_fn`` is
            called as well.
    """
    loader.worker_init_fn = partial(_begin_worker, loader.worker_init_fn)


def _begin_worker(own: Callable | None, worker: int) -> None:
    obey_main_process_only(worker)
    if own is not None:
        own(worker)


@contextmanager
def starting_workers() -> Iterator[None]:
    """Start workers that no signal ends before they are protected.

    They inherit that the signals wait, and so do threads that a spawned
    worker's imports start: a signal goes to any thread that takes it.
    """
    if not _CAN_WAIT:
        yield
        return
    if multiprocessing.get_start_method(allow_none=True) == 'spawn':
        # begun among the workers, it would let the signals in again
        resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def obey_main_process_only(worker: int) -> None:
    """Let a worker end when its main process says so, and not before.

    A terminal's Ctrl-C and a scheduler's SIGTERM reach the workers as well,
    but the main process needs them to finish its step. For a dataloader's
    ``worker_init_fn``.

    Args:
        worker (int): Number of the worker, unused.
    """
    if not _CAN_WAIT:
        return
    # Python's handlers are not told who sends, so a thread waits for the
    # signal instead. It also works while the worker is busy.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    Thread(target=_end_with_main_process, daemon=True).start()


def _end_with_main_process() -> None:
    parent = parent_process()
    assert parent is not None  # of a worker
    main = parent.pid
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != main:
        pass
    # torch takes any other status for a crash
    os._exit(0)


def end_workers(loader: DataLoader, running: Iterator | None = None) -> None:
    """End a dataloader's workers now; it can be iterated again.

    Otherwise they end with their iterator. That is quick, unless the garbage
    collector ends it as part of a cycle, such as a runner and its loops. The
    collector closes an iterator's queues before the iterator can send the
    message by which a worker ends. For each worker the program then waits 5 s
    and kills it.

    Args:
        loader (DataLoader): Whose ``persistent_workers`` are ended.
        running (Iterator, optional): An iterator over it that may be broken
            off, whose workers are ended as well.
    """
    for iterator in (running, loader._iterator):
        # without workers it is of another class, or None
        if isinstance(iterator, _MultiProcessingDataLoaderIter):
            iterator._shutdown_workers()
    loader._iterator = None
