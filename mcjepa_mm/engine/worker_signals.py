"""Dataloader workers that a stop of the whole job does not end too soon."""

import os
import signal
from multiprocessing import parent_process
from threading import Thread


def obey_main_process_only(worker: int) -> None:
    """Let a worker end when its main process says so, and not before.

    A terminal's Ctrl-C and a scheduler's SIGTERM reach the workers as well,
    but the main process needs them to finish its step. For a dataloader's
    ``worker_init_fn``.

    Args:
        worker (int): Number of the worker, unused.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Python's handlers are not told who sends, so a thread waits for the
    # signal instead. It also works while the worker is busy.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    Thread(target=_end_with_main_process, daemon=True).start()


def _end_with_main_process() -> None:
    main = parent_process().pid
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != main:
        pass
    # torch takes any other status for a crash
    os._exit(0)
