"""Make workers ignore SIGINT and SIGTERM that their parent did not send.

A stop of the whole job reaches them too, before the parent is done with them.
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


def set_worker_signals(loader: DataLoader) -> None:
    """Make a dataloader's workers ignore signals that are not their parent's.

    Args:
        loader (DataLoader): Not iterated yet. Its own ``worker_init_fn`` is
            called as well.
    """
    loader.worker_init_fn = partial(_begin_worker, loader.worker_init_fn)


def _begin_worker(own: Callable | None, worker: int) -> None:
    ignore_signals_in_workers(worker)
    if own is not None:
        own(worker)


@contextmanager
def block_signals() -> Iterator[None]:
    """Block SIGINT and SIGTERM while workers are started.

    Workers inherit the mask, and so do threads that a spawned worker's
    imports start: a signal goes to any thread that does not block it.
    """
    if not _CAN_WAIT:
        yield
        return
    if multiprocessing.get_start_method(allow_none=True) == 'spawn':
        # started together with the workers, it would unblock the signals
        resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_signals_in_workers(worker: int) -> None:
    """Ignore SIGINT, and SIGTERM that the parent process did not send.

    A terminal's Ctrl-C and a scheduler's SIGTERM reach the workers as well,
    but the main process needs them to finish its step. Use it as a
    dataloader's ``worker_init_fn``.

    Args:
        worker (int): Number of the worker, unused.
    """
    if not _CAN_WAIT:
        return
    # Python's handlers do not know the sender, so a thread waits for the
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
    """Shut down a dataloader's workers; the dataloader stays usable.

    Otherwise they end with their iterator. That is quick, unless the garbage
    collector frees it as part of a cycle, such as a runner and its loops. The
    collector closes an iterator's queues before the iterator can tell its
    workers to end, so the program waits 5 s for each worker and kills it.

    Args:
        loader (DataLoader): Whose ``persistent_workers`` are ended.
        running (Iterator, optional): An iterator over it that may be
            abandoned, whose workers are ended as well.
    """
    for iterator in (running, loader._iterator):
        # without workers it is of another class, or None
        if isinstance(iterator, _MultiProcessingDataLoaderIter):
            iterator._shutdown_workers()
    loader._iterator = None
