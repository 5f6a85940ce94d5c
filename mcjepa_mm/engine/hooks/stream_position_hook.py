from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mcjepa_mm.engine.task_stream import TaskStream


class StreamPositionHook(Hook):
    """Keep in the checkpoints how far streams of data had been used.

    Not registered: it takes streams that exist.

    Args:
        streams (Sequence[TaskStream]): The streams.
    """

    def __init__(self, streams: Sequence[TaskStream]) -> None:
        self.streams = list(streams)
        self._saved: dict[str, dict] = {}

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the positions into the checkpoint."""
        positions = checkpoint.setdefault('streams', {})
        positions.update({x.name: x.state_dict() for x in self.streams})

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the positions for when the training begins."""
        self._saved = checkpoint.get('streams', {})

    def before_train(self, runner: Runner) -> None:
        """Go to the positions, if a training is resumed."""
        if not runner.iter:
            return
        for stream in self.streams:
            if stream.name in self._saved:
                stream.load_state_dict(self._saved[stream.name])
                continue
            runner.logger.warning(
                'The checkpoint does not say where the data of '
                f'{stream.name!r} stood: it begins anew, so some samples '
                'come twice.'
            )
