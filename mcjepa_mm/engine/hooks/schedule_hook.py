from operator import attrgetter

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mcjepa_mm.registry import HOOKS
from mcjepa_mm.utils.dist import unwrapped


@HOOKS.register_module()
class ScheduleHook(Hook):
    """Ramp one attribute of the model linearly.

    The number is a plain float attribute, such as the weight of a task or of
    a loss term. Its value depends on the iteration alone, so a resumed run
    continues the ramp. It is logged as ``schedule.<target>``.

    Args:
        target (str): Path of the attribute from the model, such as
            'heads.motion.losses.vc.loss_weight'.
        begin (float): Where the ramp begins, in epochs or iterations.
            Defaults to 0.
        length (float): Length of the ramp; 0 is a step. Defaults to 0.
        start (float): Value until ``begin``. Defaults to 0.
        end (float, optional): Value after the ramp; by default the one that
            the model was configured with.
        by_epoch (bool): Whether ``begin`` and ``length`` count epochs (also
            fractions of them) or iterations. Defaults to True.

    Raises:
        AttributeError: Before training, if the model has no such number.
    """

    def __init__(
        self,
        target: str,
        begin: float = 0.0,
        length: float = 0.0,
        start: float = 0.0,
        end: float | None = None,
        by_epoch: bool = True,
    ) -> None:
        self.target = target
        self.begin = begin
        self.length = length
        self.start = start
        self.end = end
        self.by_epoch = by_epoch

    def before_train(self, runner: Runner) -> None:
        """Look up the attribute and its configured value."""
        model = unwrapped(runner.model)
        path, _, self.name = self.target.rpartition('.')
        try:
            self.owner = attrgetter(path)(model) if path else model
            configured = getattr(self.owner, self.name)
        except AttributeError as error:
            raise AttributeError(
                f'ScheduleHook: {type(model).__name__} has no '
                f'{self.target!r} ({error}).'
            ) from error
        if not isinstance(configured, (int, float)):
            raise AttributeError(
                f'ScheduleHook: {self.target!r} must be a number, it is a '
                f'{type(configured).__name__}.'
            )
        if self.end is None:
            self.end = float(configured)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Set and log the value of this iteration."""
        now = runner.iter
        if self.by_epoch:
            now = now / len(runner.train_dataloader)
        value = self.value(now)
        setattr(self.owner, self.name, value)
        runner.message_hub.update_scalar(
            f'train/schedule.{self.target}', value
        )

    def value(self, now: float) -> float:
        """Value at a time in epochs or iterations."""
        if now < self.begin:
            return self.start
        assert self.end is not None  # known from before_train on
        if now >= self.begin + self.length:
            return self.end
        share = (now - self.begin) / self.length
        return self.start + share * (self.end - self.start)
