"""Validation and test loops over several tasks' data in turn."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.evaluator import Evaluator
from mmengine.runner import Runner, TestLoop, ValLoop
from torch.utils.data import ConcatDataset, DataLoader

from mcjepa_mm.engine.worker_signals import block_signals, set_worker_signals
from mcjepa_mm.registry import LOOPS

DataLoaders = Mapping[str, DataLoader | dict]
Evaluators = Mapping[str, Evaluator | dict | list]


class TaskDataLoader:
    """Chain the dataloaders of several tasks.

    Yields ``{task: batch}``. Its length is the number of batches of all
    tasks together, so that mmengine's hooks print one count and one time
    left over the whole evaluation.

    Args:
        loaders (dict[str, DataLoader]): Loaders by task.
    """

    def __init__(self, loaders: dict[str, DataLoader]) -> None:
        self.loaders = loaders
        self.dataset = ConcatDataset([x.dataset for x in loaders.values()])
        # mmengine hands this to the evaluator, which splits it by task
        self.dataset.metainfo = {
            task: getattr(loader.dataset, 'metainfo', None)
            for task, loader in loaders.items()
        }

    def __len__(self) -> int:
        return sum(len(loader) for loader in self.loaders.values())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for task, loader in self.loaders.items():
            with block_signals():
                batches = iter(loader)
            for batch in batches:
                yield {task: batch}


class TaskEvaluator(Evaluator):
    """Evaluators by task with metrics named ``task/name``.

    Args:
        evaluators (dict[str, Evaluator]): Evaluators by task.
        sizes (dict[str, int]): Number of samples of each task's data set.
    """

    def __init__(
        self, evaluators: dict[str, Evaluator], sizes: dict[str, int]
    ) -> None:
        super().__init__([m for e in evaluators.values() for m in e.metrics])
        self.evaluators = evaluators
        self.sizes = sizes

    @property
    def dataset_meta(self) -> dict:
        """dict: Meta information of every task's data set, by task."""
        return {t: e.dataset_meta for t, e in self.evaluators.items()}

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        for task, evaluator in self.evaluators.items():
            evaluator.dataset_meta = dataset_meta[task]

    def process(
        self, data_samples: Sequence, data_batch: dict[str, Any]
    ) -> None:
        """Pass predictions to the evaluator of the batch's task.

        Args:
            data_samples (Sequence[BaseDataElement]): Predictions.
            data_batch (dict): ``{task: batch}`` with a single task.
        """
        ((task, batch),) = data_batch.items()
        self.evaluators[task].process(data_samples, batch)

    def evaluate(self, size: int) -> dict[str, float]:
        """Compute the metrics of every task.

        Args:
            size (int): Samples of all tasks together, as mmengine's loops
                give it; each task's own size is used instead.

        Returns:
            dict: All metrics, named ``task/name``.
        """
        return {
            f'{task}/{name}': value
            for task, evaluator in self.evaluators.items()
            for name, value in evaluator.evaluate(self.sizes[task]).items()
        }


def _build(runner: Runner, dataloader: DataLoaders, evaluator: Evaluators):
    """Build dataloader and evaluator from dicts by task."""
    for name, value in (('dataloader', dataloader), ('evaluator', evaluator)):
        if (
            not isinstance(value, Mapping)
            or not value
            or 'type' in value
            or 'dataset' in value
        ):
            raise TypeError(
                f'expected {name} as a dict by task, such as dict(motion='
                f'dict(...), content=dict(...)), got {value!r:.200}; for a '
                "single task without name use mmengine's own loops"
            )
    # None leaves an inherited task out, as it does among the model's heads.
    dataloader = {k: v for k, v in dataloader.items() if v is not None}
    evaluator = {k: v for k, v in evaluator.items() if v is not None}
    if dataloader.keys() != evaluator.keys():
        raise ValueError(
            f'data loaders are given for tasks {sorted(dataloader)}, '
            f'evaluators for {sorted(evaluator)}; every task needs both'
        )
    diff_rank_seed = runner._randomness_cfg.get('diff_rank_seed', False)
    loaders = {
        task: runner.build_dataloader(
            cfg, seed=runner.seed, diff_rank_seed=diff_rank_seed
        )
        for task, cfg in dataloader.items()
    }
    for loader in loaders.values():
        set_worker_signals(loader)
    evaluators: dict[str, Evaluator] = {
        task: runner.build_evaluator(evaluator[task]) for task in loaders
    }
    sizes = {task: len(x.dataset) for task, x in loaders.items()}
    return TaskDataLoader(loaders), TaskEvaluator(evaluators, sizes)


class _ByTask:
    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoaders,
        evaluator: Evaluators,
        fp16: bool = False,
    ) -> None:
        built = _build(runner, dataloader, evaluator)
        # of the loop that this stands before
        super().__init__(runner, *built, fp16)  # type: ignore[call-arg]


@LOOPS.register_module()
class MultiTaskValLoop(_ByTask, ValLoop):
    """mmengine's validation loop over the data of several tasks.

    Every batch reaches the model as ``{task: batch}``; metrics are named
    ``task/name``, ``motion/EPE`` say, and reach the hooks in one dict, so
    that ``save_best='motion/EPE'`` works.

    Args:
        runner (Runner): The runner.
        dataloader (dict): Data loaders, or their configs, by task. A task
            that is None is left out.
        evaluator (dict): Evaluators, or metric configs, by task, likewise.
        fp16 (bool): Whether to predict under autocast. Defaults to False.

    Raises:
        TypeError: If ``dataloader`` or ``evaluator`` is not a dict by task.
        ValueError: If the two do not name the same tasks.

    Example:
        >>> pairs = dict(type='mcjepa_mm.EmbeddedPairs', length=64)
        >>> images = dict(type='mcjepa_mm.EmbeddedImages', length=1000)
        >>> val_dataloader = dict(
        ...     motion=dict(batch_size=8, dataset=pairs),
        ...     content=dict(batch_size=50, dataset=images))
        >>> val_evaluator = dict(
        ...     motion=dict(type='mcjepa_mm.FlowEPE'),
        ...     content=dict(type='mcjepa_mm.EmbeddingQuality'))
        >>> val_cfg = dict(type='mcjepa_mm.MultiTaskValLoop')
    """


@LOOPS.register_module()
class MultiTaskTestLoop(_ByTask, TestLoop):
    """mmengine's test loop over several tasks, as MultiTaskValLoop."""
