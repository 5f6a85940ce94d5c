"""A training loop that goes on exactly where it was stopped."""

from collections.abc import Sequence

from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from mcjepa_mm.engine.hooks.end_workers_hook import end_workers_of
from mcjepa_mm.engine.hooks.stream_position_hook import StreamPositionHook
from mcjepa_mm.engine.task_stream import TaskStream
from mcjepa_mm.registry import LOOPS
from mcjepa_mm.utils.random_state import seed_step


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """mmengine's loop over epochs, resumable also from within an epoch.

    A run that was killed and resumed computes what an unbroken one computes,
    bit for bit where the operators do (on a CPU they do), because

    - each step begins from random states that follow from the run's seed,
      the process and the number of the iteration;
    - each sample is augmented by the run's seed and its place in the epoch;
    - checkpoints say how far the data had been used.

    Args:
        runner (Runner): The runner.
        dataloader (dict): Config of the dataloader.
        **kwargs: Of mmengine's ``EpochBasedTrainLoop``: ``max_epochs``,
            ``val_begin``, ``val_interval``, ``dynamic_intervals``.
    """

    def __init__(self, runner: Runner, dataloader: dict, **kwargs) -> None:
        self.stream = TaskStream('train_dataloader', dataloader, runner)
        super().__init__(runner, self.stream.loader, **kwargs)
        runner.register_hook(StreamPositionHook([self.stream]))

    def run(self) -> nn.Module:
        """Train, beginning with what a stopped run would have done next.

        The dataloaders' workers end with it, also if it is broken off.

        Returns:
            nn.Module: The trained model.
        """
        try:
            self._run()
        finally:
            end_workers_of(self.runner)
        return self.runner.model

    def _run(self) -> None:
        self.runner.call_hook('before_train')
        # A checkpoint of an epoch is written before its validation.
        if self._iter and self.stream.epoch != self._epoch:
            self._validate()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate()
        self.runner.call_hook('after_train')

    def _validate(self) -> None:
        """Validate, if it is time after an epoch."""
        self._decide_current_val_interval()
        if (
            self.runner.val_loop is not None
            and self._epoch >= self.val_begin
            and (
                self._epoch % self.val_interval == 0
                or self._epoch == self._max_epochs
            )
        ):
            self.runner.val_loop.run()

    def run_epoch(self) -> None:
        """Iterate over an epoch, or over what is left of it."""
        if self.stream.epoch != self._epoch:
            self.stream.begin(self._epoch)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for number, batch in self.stream.rest_of_epoch():
            self.run_iter(number, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """Iterate over one batch.

        Args:
            idx (int): Its number in the epoch.
            data_batch (Sequence[dict]): The batch.
        """
        seed_step(self.runner.seed, get_rank(), self._iter)
        super().run_iter(idx, data_batch)
