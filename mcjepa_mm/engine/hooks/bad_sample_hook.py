import atexit

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from mcjepa_mm.datasets.bad_samples import BadSampleGuard
from mcjepa_mm.registry import HOOKS

# number of samples, the bad ones and the bad files, by name of a data set
Found = dict[str, tuple[int, set[int], set[str]]]


@HOOKS.register_module()
class BadSampleHook(Hook):
    """Count the samples that could not be read, and name the files.

    It reports every :class:`~mcjepa_mm.datasets.BadSampleGuard` of the run,
    over all dataloader workers, and does nothing where there is none.

    While training, the log has ``bad_samples``: how many this process has
    replaced so far, counted every ``interval`` iterations. After training it
    has one line for each data set, over all processes. mmengine calls no hook
    when a run ends by an error or is interrupted: then every process that has
    found bad files names its own when it ends.

    Args:
        interval (int): Iterations between two counts. Defaults to 50.
    """

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval
        self._guards: list[BadSampleGuard] = []
        self._logger: MMLogger | None = None

    def before_train(self, runner: Runner) -> None:
        """Register the report of bad files for any end of the run."""
        # kept: an error that ends the run lets go of its dataloaders
        self._guards = list(BadSampleGuard.alive)
        self._logger = runner.logger
        atexit.register(self._report_early_end)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Log the count at every interval."""
        if self._guards and self.every_n_train_iters(runner, self.interval):
            number = sum(guard.num_bad() for guard in self._guards)
            runner.message_hub.update_scalar('train/bad_samples', number)

    def after_train(self, runner: Runner) -> None:
        """Log one line per guarded data set."""
        atexit.unregister(self._report_early_end)
        parts = all_gather_object(_found(self._guards))
        _report(runner.logger, _total(parts))
        self._guards = []

    def _report_early_end(self) -> None:
        found = _found(self._guards)
        _report(self._logger, {k: v for k, v in found.items() if v[2]})


def _found(guards: list[BadSampleGuard]) -> Found:
    """Bad samples found by the guards of this process."""
    found: Found = {}
    for guard in guards:
        _, samples, files = found.setdefault(
            guard.name, (len(guard), set(), set())
        )
        samples.update(guard.bad_samples())
        files.update(guard.bad_files())
        files.update(getattr(guard.dataset, 'short_files', ()))
    return found


def _total(parts: list[Found]) -> Found:
    """Bad samples found by all processes."""
    total: Found = {}
    for part in parts:
        for name, (length, samples, files) in part.items():
            record = total.setdefault(name, (length, set(), set()))
            record[1].update(samples)
            record[2].update(files)
    return total


def _report(logger: MMLogger, found: Found) -> None:
    for name, (length, samples, files) in sorted(found.items()):
        if files:
            logger.warning(
                f'{name}: {len(samples)} of {length} samples were bad '
                f'and replaced; {len(files)} files could not be used: '
                + ', '.join(sorted(files))
            )
        else:
            logger.info(f'{name}: all samples could be read.')
