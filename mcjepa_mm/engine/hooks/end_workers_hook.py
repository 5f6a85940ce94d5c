from collections.abc import Iterator, Mapping

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader

from mcjepa_mm.engine.worker_signals import end_workers


class EndWorkersHook(Hook):
    """Shut down dataloader workers after a training, validation or test.

    A program that only runs it ends them anyway. This is for one that goes
    on: with the next row of a table, in a notebook, in tests.

    Not registered: :func:`mcjepa_mm.engine.launch.build_runner` adds it.
    """

    priority = 'LOWEST'

    def after_run(self, runner: Runner) -> None:
        """Shut down the workers."""
        end_workers_of(runner)


def end_workers_of(runner: Runner) -> None:
    """Shut down the workers of a runner's dataloaders.

    Args:
        runner (Runner): Whose training, validation or test is over.
    """
    for stream in getattr(runner._train_loop, 'streams', {}).values():
        stream.close()
    for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
        # a loop that was not needed is None or still a config
        loader = getattr(loop, 'dataloader', None)
        tasks = getattr(loader, 'loaders', None)
        for each in tasks.values() if isinstance(tasks, Mapping) else [loader]:
            if isinstance(each, DataLoader):
                end_workers(each, _running(loop))


def _running(loop: BaseLoop) -> Iterator | None:
    """Return the iterator that mmengine's iteration-based loop keeps."""
    endless = getattr(loop, 'dataloader_iterator', None)
    return getattr(endless, '_iterator', None)
