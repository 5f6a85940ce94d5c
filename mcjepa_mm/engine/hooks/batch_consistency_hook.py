from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mcjepa_mm.datasets.fingerprint import fingerprint
from mcjepa_mm.engine.process_group import dist_timeout
from mcjepa_mm.registry import HOOKS
from mcjepa_mm.utils.dist import cpu_group, require_agreement


@HOOKS.register_module()
class BatchConsistencyHook(Hook):
    """Check that all processes have the same data, tasks and batch sizes.

    A process that lacks a task, or has fewer samples of it than the others,
    would wait for them in one collective while they wait for it in another.
    So before each step the processes compare what they have, in one small
    message through the CPU. What differs is named and all of them stop. In a
    single process nothing is done.

    Raises:
        ValueError: On every process, if epochs or passes differ in length,
            data in the files, or batches in their tasks or sizes.
    """

    # after hooks that may change the batch
    priority = 'LOW'

    def before_train(self, runner: Runner) -> None:
        """Compare the length of an epoch, and each task's data."""
        self._group = cpu_group(dist_timeout(runner.cfg))
        if self._group is None:
            return
        # Passes that differ would drift apart, and a checkpoint holds the
        # position of one process only.
        mine = {'iterations of an epoch': str(len(runner.train_dataloader))}
        for stream in getattr(runner.train_loop, 'streams', {}).values():
            mine[f'a pass of {stream.name!r}'] = f'{len(stream)} batches'
            mine[f'data of {stream.name!r}'] = fingerprint(
                stream.loader.dataset
            )
        require_agreement(
            mine,
            'Give every machine the same data, in the same place.',
            self._group,
        )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Compare the batches over processes."""
        if self._group is not None:
            require_agreement(
                {f'batch of iteration {runner.iter}': _describe(data_batch)},
                'Which tasks are in a step must follow from its number '
                'alone. If sizes differ, set drop_last=True in the '
                'dataloader.',
                self._group,
            )


def _describe(batch: Any) -> str:
    """Number of samples of each part of a batch."""
    if isinstance(batch, dict):
        parts = (
            f'{key} ({_describe(value)})'
            for key, value in batch.items()
            if key != 'data_samples'
        )
        return ', '.join(parts)
    if isinstance(batch, (list, tuple, torch.Tensor)):
        return f'{len(batch)} samples'
    return type(batch).__name__
