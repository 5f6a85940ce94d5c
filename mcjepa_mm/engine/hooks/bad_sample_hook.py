from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mcjepa_mm.datasets.bad_samples import BadSampleGuard
from mcjepa_mm.registry import HOOKS


@HOOKS.register_module()
class BadSampleHook(Hook):
    """Name the files that could not be read, after training.

    It reports every :class:`~mcjepa_mm.datasets.BadSampleGuard` of the run,
    over all processes and dataloader workers. A run that is stopped by a
    guard's limit names the files in its error instead.
    """

    def after_train(self, runner: Runner) -> None:
        """Log one line per guarded data set."""
        mine = {}
        for guard in BadSampleGuard.alive:
            record = mine.setdefault(guard.name, (len(guard), set(), set()))
            record[1].update(guard.bad_samples())
            record[2].update(guard.bad_files())
            record[2].update(getattr(guard.dataset, 'short_files', ()))
        total = {}
        for part in all_gather_object(mine):
            for name, (length, samples, files) in part.items():
                record = total.setdefault(name, (length, set(), set()))
                record[1].update(samples)
                record[2].update(files)
        for name, (length, samples, files) in sorted(total.items()):
            if files:
                runner.logger.warning(
                    f'{name}: {len(samples)} of {length} samples were bad '
                    f'and replaced; {len(files)} files could not be used: '
                    + ', '.join(sorted(files))
                )
            else:
                runner.logger.info(f'{name}: all samples could be read.')
