from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mcjepa_mm.registry import HOOKS
from mcjepa_mm.utils.atomic_write import atomic_write


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook`` with atomic writes and late removals.

    - A checkpoint that is no longer wanted (``max_keep_ckpts``, an older best
      one) goes when the one that replaces it is on the disk. mmengine removes
      it first, so that a full disk or a kill could leave none.
    - ``last_checkpoint`` is replaced whole.
    - Between two steps of the optimiser that accumulates gradients nothing is
      saved: a checkpoint holds no gradients, and those would be lost. One
      that falls there waits for the step.

    Takes mmengine's arguments.
    """

    file_backend: Any  # mmengine's

    def before_train(self, runner: Runner) -> None:
        """Warn if epoch checkpoints cannot be resumed exactly."""
        super().before_train(runner)
        self._due = False
        counts = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        epoch = len(runner.train_dataloader)
        if self.by_epoch and epoch % counts:
            runner.logger.warning(
                f'An epoch has {epoch} iterations and the optimiser steps '
                f'after {counts}: a run resumed from the checkpoint of an '
                'epoch lacks the gradients of the last ones. Choose '
                '`accumulative_counts` so that it divides the epoch, or save '
                'by iterations (by_epoch=False).'
            )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Save every ``interval`` iterations, after an optimiser step."""
        if self.by_epoch:
            return
        self._due |= self.every_n_train_iters(
            runner, self.interval, self.save_begin
        ) or (self.save_last and self.is_last_train_iter(runner))
        if self._due and between_steps(runner):
            self._due = False
            runner.logger.info(
                f'Saving checkpoint at {runner.iter + 1} iterations'
            )
            self._save_checkpoint(runner)

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict
    ) -> None:
        # mmengine comes here also after a validation that found a new best
        if not (self.by_epoch or between_steps(runner)):
            self._due = True
            return
        outdated = self._keep(runner, step) if self.max_keep_ckpts > 0 else []
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            name_last_checkpoint(runner, self.last_ckpt)
            for old in outdated:
                self._remove(self.filename_tmpl.format(old))

    def _keep(self, runner: Runner, step: int) -> list[int]:
        """Record a checkpoint and return those that it replaces."""
        kept = [x for x in self.keep_ckpt_ids if x != step] + [step]
        self.keep_ckpt_ids.clear()
        self.keep_ckpt_ids.extend(kept)  # a deque: the last ones stay
        runner.message_hub.update_info(
            'keep_ckpt_ids', list(self.keep_ckpt_ids)
        )
        return kept[: -self.max_keep_ckpts]

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if not self.save_best:
            return
        with self._removing_later():
            super()._save_best_checkpoint(runner, metrics)

    @contextmanager
    def _removing_later(self) -> Iterator[None]:
        """Postpone removals until the block ends."""
        backend, self.file_backend = self.file_backend, _Removals(self)
        try:
            yield
        finally:
            removals, self.file_backend = self.file_backend, backend
        # made again, a validation may give the best one the same name
        best = [getattr(self, 'best_ckpt_path', None)]
        best += getattr(self, 'best_ckpt_path_dict', {}).values()
        for path in removals.paths:
            if path not in best:
                backend.remove(path)

    def _remove(self, name: str) -> None:
        path = self.file_backend.join_path(self.out_dir, name)
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)


class _Removals:
    """A file backend that records removals instead of doing them."""

    def __init__(self, hook: CheckpointHook) -> None:
        self._backend = hook.file_backend
        self.paths: list[str] = []

    def remove(self, path: str) -> None:
        self.paths.append(path)

    def __getattr__(self, name: str):
        return getattr(self._backend, name)


def between_steps(runner: Runner) -> bool:
    """Whether no accumulated gradients are pending."""
    return runner.optim_wrapper.should_update()


def name_last_checkpoint(runner: Runner, path: str) -> None:
    """Write the name of the last checkpoint, for ``--resume``."""
    atomic_write(Path(runner.work_dir) / 'last_checkpoint', path.encode())
