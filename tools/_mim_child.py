"""Save on Ctrl-C and SIGTERM, although MIM does not wait.

MIM kills the script that it has started a quarter of a second after Ctrl-C,
and is itself ended by SIGTERM without telling the script. So the script that
MIM knows waits for another process, and that one trains: it is asked to stop
whatever happens to MIM, and ends when it has saved.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # of Linux, linux/prctl.h


def train_beside_mim() -> None:
    """Where MIM has started this process, go on in a child of it.

    Returns in the process that trains. The other one passes signals on and
    ends as the training does. Nothing happens where it is not MIM that has
    started this process, or not on Linux.
    """
    mim = os.getppid()
    if not sys.platform.startswith('linux') or not _is_mim(mim):
        return
    waiting = os.getpid()
    training = os.fork()
    if training == 0:
        os.setsid()  # not in the group that a terminal's Ctrl-C goes to
        end_with(waiting)
        return
    _pass_signals_to(training)
    end_with(mim)
    _, status = os.waitpid(training, 0)
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


def end_with(parent: int) -> None:
    """Have SIGTERM sent to this process when its parent ends."""
    if not sys.platform.startswith('linux'):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was quicker
        os.kill(os.getpid(), signal.SIGTERM)


def _is_mim(process: int) -> bool:
    """Whether a process is ``mim ...`` or ``python -m mim ...``."""
    try:
        line = Path(f'/proc/{process}/cmdline').read_bytes()
    except OSError:  # of somebody else, or over
        return False
    words = line.split(b'\0')[:6]
    return any(os.path.basename(word) == b'mim' for word in words)


def _pass_signals_to(training: int) -> None:
    passed = {
        signal.SIGINT: signal.SIGINT,
        signal.SIGTERM: signal.SIGTERM,
        signal.SIGHUP: signal.SIGTERM,
    }

    def pass_on(number, _):
        os.kill(training, passed[number])
        with suppress(OSError):  # the terminal is gone
            os.write(
                2,
                f'\nThe training, process {training}, saves and then ends; '
                'MIM may end before it.\n'.encode(),
            )

    for number in passed:
        signal.signal(number, pass_on)
