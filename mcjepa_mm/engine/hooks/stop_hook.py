import os
import signal
import sys
from types import FrameType

import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mcjepa_mm.engine.cpu_group import cpu_group
from mcjepa_mm.registry import HOOKS

from .safe_checkpoint_hook import between_steps, name_last_checkpoint

FILE_NAME = 'interrupted.pth'


@HOOKS.register_module()
class StopHook(Hook):
    """Save and stop when the process is asked to, so that it can be resumed.

    A scheduler that needs the machine sends SIGTERM, a user types Ctrl-C
    (SIGINT). The step that runs is finished, the checkpoint
    ``interrupted.pth`` is written to the work dir, and the process ends with
    status 128 + signal, as one that the signal has ended: a job that is
    queued again because it failed goes on with ``--resume``. One of several
    processes that is asked stops all of them, after the same step. When the
    training ends, the file is removed.

    A validation is left at once in a single process, and finished by several.
    A second signal ends a single process without saving.
    """

    # after the hooks that save
    priority = 'LOWEST'

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous: dict = {}

    def before_train(self, runner: Runner) -> None:
        """Take over both signals."""
        self._group = cpu_group()
        self._vote = None
        for number in (signal.SIGTERM, signal.SIGINT):
            self._previous[number] = signal.signal(number, self._note)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Ask the other processes, without waiting for their answer."""
        if self._group is not None:
            self._ask()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Stop, if any process was asked to before this step."""
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
        """Leave a validation, if no other process waits in it."""
        if self._previous and self._group is None and self.signal:
            self._stop(runner, self.signal, runner.iter)

    def after_val(self, runner: Runner) -> None:
        """Stop after a validation, all processes together."""
        if self._previous and self._group is not None:
            self._ask()
            if wanted := self._answer():
                self._stop(runner, wanted, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Give the signals back; what an earlier stop left is not needed."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
        if runner.rank == 0:
            path = os.path.join(runner.work_dir, FILE_NAME)
            if os.path.exists(path):
                os.remove(path)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal and self._group is None:
            sys.exit(128 + number)
        # torchrun sends a second one at once, which asks for nothing new
        if not self.signal:
            # not by the logger: it may be writing while this interrupts it
            os.write(2, b'\nAsked to stop: saving after this step.\n')
        self.signal = number

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
