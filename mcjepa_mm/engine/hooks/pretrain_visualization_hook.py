"""Visualise flow and features during pretraining."""

import os.path as osp

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.visualization import LocalVisBackend
from torch.utils.data import Dataset

from mcjepa_mm.registry import DATASETS, HOOKS
from mcjepa_mm.utils.random_state import preserved_random_state
from mcjepa_mm.visualization import draw_pretraining_sheet


@HOOKS.register_module()
class PretrainVisualizationHook(Hook):
    """Draw fixed frame pairs before, during and after training.

    Each picture (see :func:`~mcjepa_mm.visualization.draw_pretraining_sheet`)
    goes to every backend of the runner's visualizer as ``pretraining``, and
    its PNG is named in the log. Only the main process draws. The random
    states, the modules' modes and so the training are as without the hook.

    Args:
        interval (int): Epochs between pictures (iterations if ``by_epoch``
            is False). Before the first and after the last there is always
            one. Defaults to 1.
        num_samples (int): Frame pairs per picture, the first of the data
            set. Defaults to 4.
        dataset (dict or Dataset, optional): Where they come from. Defaults
            to None: the ``task`` data set of the validation loop.
        task (str): Name of the motion task. Defaults to 'motion'.
        feature_level (int): Which of the encoder's levels is drawn, fine to
            coarse. Defaults to 2.
        by_epoch (bool): Whether ``interval`` counts epochs. Defaults to
            True.
        occlusion (bool, optional): Whether the predicted occlusion is drawn.
            Defaults to None: if the true one is known.

    Raises:
        ValueError: If ``interval`` or ``num_samples`` is below 1, or, when
            the training begins, no data set is found.
    """

    priority = 'LOW'

    def __init__(
        self,
        interval: int = 1,
        num_samples: int = 4,
        dataset: dict | Dataset | None = None,
        task: str = 'motion',
        feature_level: int = 2,
        by_epoch: bool = True,
        occlusion: bool | None = None,
    ) -> None:
        for name, value in (
            ('interval', interval),
            ('num_samples', num_samples),
        ):
            if value < 1:
                raise ValueError(f'{name} must be 1 or more, got {value}')
        self.interval = interval
        self.num_samples = num_samples
        self.dataset = dataset
        self.task = task
        self.feature_level = feature_level
        self.by_epoch = by_epoch
        self.occlusion = occlusion
        self._samples: list[dict] = []
        self._drawn: int | None = None

    def before_train(self, runner: Runner) -> None:
        """Load the samples and draw the untrained model."""
        self._load_samples(runner)
        self._draw(runner, self._now(runner))

    def after_train_epoch(self, runner: Runner) -> None:
        """Draw every ``interval`` epochs."""
        if self.by_epoch and self.every_n_epochs(runner, self.interval):
            self._draw(runner, runner.epoch + 1)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Draw every ``interval`` iterations, if ``by_epoch`` is False."""
        if not self.by_epoch and self.every_n_train_iters(
            runner, self.interval
        ):
            self._draw(runner, runner.iter + 1)

    def after_train(self, runner: Runner) -> None:
        """Draw the trained model, unless the last step did."""
        if self._drawn != self._now(runner):
            self._draw(runner, self._now(runner))

    def _now(self, runner: Runner) -> int:
        return runner.epoch if self.by_epoch else runner.iter

    @master_only
    def _load_samples(self, runner: Runner) -> None:
        dataset = self.dataset
        if dataset is None:
            loaders = getattr(
                getattr(runner.val_loop, 'dataloader', None), 'loaders', {}
            )
            if self.task not in loaders:
                raise ValueError(
                    'PretrainVisualizationHook has no frame pairs: it was '
                    'given no `dataset`, and the validation loop has data '
                    f'for {sorted(loaders)}, not for {self.task!r}. Set '
                    f'dataset=dict(...), or val_dataloader=dict({self.task}='
                    '...) with MultiTaskValLoop'
                )
            dataset = loaders[self.task].dataset
        with preserved_random_state():
            if isinstance(dataset, dict):
                dataset = DATASETS.build(dataset)
            number = min(self.num_samples, len(dataset))
            self._samples = [dataset[i] for i in range(number)]

    @master_only
    def _draw(self, runner: Runner, step: int) -> None:
        unit = 'epoch' if self.by_epoch else 'iteration'
        with preserved_random_state():
            sheet = draw_pretraining_sheet(
                runner.model,
                self._samples,
                task=self.task,
                feature_level=self.feature_level,
                occlusion=self.occlusion,
                heading=f'{runner.experiment_name}, {unit} {step}',
            )
        runner.visualizer.add_image('pretraining', sheet, step)
        self._drawn = step
        for backend in runner.visualizer._vis_backends.values():
            if isinstance(backend, LocalVisBackend):
                path = osp.join(
                    backend._img_save_dir, f'pretraining_{step}.png'
                )
                runner.logger.info(f'Picture of {unit} {step}: {path}')
