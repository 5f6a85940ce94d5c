import zlib
from typing import Any

import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mcjepa_mm.engine.process_group import dist_timeout
from mcjepa_mm.registry import HOOKS
from mcjepa_mm.utils.dist import cpu_group


@HOOKS.register_module()
class BatchConsistencyHook(Hook):
    """Check that all processes have batches of the same tasks and sizes.

    A process that lacks a task, or has fewer samples of it than the others,
    would wait for them in one collective while they wait for it in another.
    So before each step the processes compare what they have, in one small
    message through the CPU. What differs is named and all of them stop. In a
    single process nothing is done.

    Raises:
        ValueError: On every process, if epochs or passes differ in length,
            or batches in their tasks or sizes.
    """

    # after hooks that may change the batch
    priority = 'LOW'

    def before_train(self, runner: Runner) -> None:
        """Compare the epoch length and each task's length over processes."""
        self._group = cpu_group(dist_timeout(runner.cfg))
        # Passes that differ would drift apart, and a checkpoint holds the
        # position of one process only.
        passes = [
            f', {len(stream)} in a pass of {stream.name!r}'
            for stream in getattr(runner.train_loop, 'streams', {}).values()
        ]
        self._compare(
            f'{len(runner.train_dataloader)} iterations in an epoch'
            + ''.join(passes),
            'Give every process the same data set and batch size.',
        )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Compare the batches over processes."""
        if self._group is not None:
            self._compare(
                f'iteration {runner.iter}: {_describe(data_batch)}',
                'Which tasks are in a step must follow from its number '
                'alone. If sizes differ, set drop_last=True in the '
                'dataloader.',
            )

    def _compare(self, mine: str, advice: str) -> None:
        if self._group is None:
            return
        digest = torch.tensor([zlib.crc32(mine.encode())])
        digests = [torch.empty_like(digest) for _ in range(self._group.size())]
        dist.all_gather(digests, digest, self._group)
        if all(x == digest for x in digests):
            return
        texts = [''] * self._group.size()
        dist.all_gather_object(texts, mine, self._group)
        raise ValueError(
            'The processes do not agree: '
            + '; '.join(f'process {i} has {x}' for i, x in enumerate(texts))
            + f'. {advice}'
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
