"""Registered parts of evidence.py's trainings: a control, and a clock."""

import time

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mcjepa_mm.models.heads import DenseVICReg
from mcjepa_mm.registry import HOOKS, MODELS


@MODELS.register_module()
class ShuffledDenseVICReg(DenseVICReg):
    """A control: matches by the flow of another sample."""

    def forward(self, frames, others, flow, visible, encode):
        return super().forward(
            frames, others, flow.roll(1, 0), visible.roll(1, 0), encode
        )


@HOOKS.register_module()
class CPUTimeHook(Hook):
    """Count the CPU time of a training, over interruptions.

    It is in the message hub, so checkpoints have it.
    """

    priority = 'VERY_HIGH'  # before checkpoints are written

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin to count."""
        self._last = time.process_time()

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Add the time since the last step."""
        now = time.process_time()
        total = cpu_seconds(runner) + now - self._last
        runner.message_hub.update_info('evidence_cpu_seconds', total)
        self._last = now


def cpu_seconds(runner: Runner) -> float:
    """CPU time of the training so far."""
    infos = runner.message_hub.runtime_info
    return float(infos.get('evidence_cpu_seconds', 0.0))
