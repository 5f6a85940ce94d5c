import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mcjepa_mm.engine.process_group import dist_timeout
from mcjepa_mm.engine.worker_signals import set_worker_signals
from mcjepa_mm.registry import HOOKS
from mcjepa_mm.utils.dist import cpu_group

from .safe_checkpoint_hook import between_steps, name_last_checkpoint

FILE_NAME = 'interrupted.pth'


@HOOKS.register_module()
class GracefulStopHook(Hook):
    """Save a checkpoint and stop on SIGTERM or Ctrl-C.

    A scheduler that needs the machine sends SIGTERM, a user types Ctrl-C
    (SIGINT). The step that runs is finished, the checkpoint
    ``interrupted.pth`` is written to the work dir, and the process ends with
    status 128 + signal, as one that the signal has ended: a job that is
    queued again because it failed continues with ``--resume``. A signal to
    one of several processes stops all of them, after the same step. When the
    training ends, the file is removed, unless no later one was written.

    A validation is left at once in a single process, and finished by several.
    A second Ctrl-C ends a single process without saving.
    """

    # after the hooks that save
    priority = 'LOWEST'

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous: dict = {}
        self._group = None

    def before_train(self, runner: Runner) -> None:
        """Install the signal handlers."""
        self.signal = None
        self.restore_handlers()  # of a training that was broken off
        self._group = cpu_group(dist_timeout(runner.cfg))
        # mmengine's own loop; MultiTaskValLoop has seen to its loaders
        loader = getattr(runner.val_loop, 'dataloader', None)
        if isinstance(loader, DataLoader):
            set_worker_signals(loader)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._previous[number] = signal.signal(number, self._note)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Start an asynchronous all-reduce of the stop request."""
        if self._group is not None:
            self._ask()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Stop if any process was asked to before this step."""
        wanted = self._answer() if self._group is not None else self.signal
        if wanted and between_steps(runner):
            self._stop(runner, wanted, runner.iter + 1)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: list | None = None,
    ) -> None:
        """Stop in a validation of a single process."""
        if (
            self._previous
            and self._group is None
            and self.signal
            and between_steps(runner)
        ):
            self._stop(runner, self.signal, runner.iter)

    def after_val(self, runner: Runner) -> None:
        """Stop after a validation, all processes together."""
        if self._previous and self._group is not None:
            self._ask()
            wanted = self._answer()
            if wanted and between_steps(runner):
                self._stop(runner, wanted, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Restore the handlers and remove an outdated ``interrupted.pth``."""
        self.restore_handlers()
        if runner.rank == 0:
            _remove_if_older(Path(runner.work_dir))

    def restore_handlers(self) -> None:
        """Restore the signal handlers, where they are not restored yet.

        Else, after a training that was broken off, Ctrl-C would do nothing in
        a notebook. mmengine's own loops do not call this. Several processes
        that were asked to stop keep their handlers: torchrun asks again while
        they end.
        """
        if self._group is not None and self.signal:
            return
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        first, self.signal = not self.signal, number
        if first:
            # Not by the logger: it may be writing while this interrupts it.
            # Ctrl-C may have ended the program that reads the output, too.
            with suppress(OSError):
                os.write(2, b'\nAsked to stop: saving after this step.\n')
        # torchrun and schedulers repeat what they ask for
        elif number == signal.SIGINT and self._group is None:
            sys.exit(128 + number)

    def _ask(self) -> None:
        self._wanted = torch.tensor([self.signal or 0])
        self._vote = dist.all_reduce(
            self._wanted, dist.ReduceOp.MAX, self._group, async_op=True
        )

    def _answer(self) -> int:
        self._vote.wait()
        return int(self._wanted)

    def _stop(self, runner: Runner, number: int, iteration: int) -> None:
        runner.save_checkpoint(
            runner.work_dir,
            FILE_NAME,
            meta=dict(epoch=runner.epoch, iter=iteration),
        )
        path = os.path.join(runner.work_dir, FILE_NAME)
        if runner.rank == 0:
            name_last_checkpoint(runner, path)
        if self._group is not None:
            # who ends first makes torchrun end the others
            dist.barrier(self._group)
        runner.logger.warning(
            f'Stopped by {signal.Signals(number).name} after {iteration} '
            f'iterations, saved as {path}: go on with --resume.'
        )
        sys.exit(128 + number)


def _remove_if_older(folder: Path) -> None:
    # A stop after the last step leaves nothing to be saved after it.
    path, last = folder / FILE_NAME, folder / 'last_checkpoint'
    if last.is_file() and Path(last.read_text()).name != FILE_NAME:
        path.unlink(missing_ok=True)
