from collections.abc import Sequence

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS


@MODELS.register_module()
class ViewsDataPreprocessor(BaseDataPreprocessor):
    """Move the views of one task to the device and normalise them.

    Args:
        mean (Sequence[float]): Mean of R, G, B in 0..255.
        std (Sequence[float]): Standard deviation of R, G, B in 0..255.
        non_blocking (bool): Let the copy from pinned memory to the device run
            beside the computation. Defaults to False.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        for name, value in (('mean', mean), ('std', std)):
            self.register_buffer(
                name, torch.tensor(value).view(-1, 1, 1), persistent=False
            )

    def forward(self, data: dict, training: bool = False) -> dict:
        """Normalise a batch.

        Args:
            data (dict): ``inputs`` as the collate function left it: N x
                (V, 3, H, W), stacked or as a list; one view may come without
                its dimension. ``data_samples``, if any, one for each of N.
            training (bool): Unused.

        Returns:
            dict: ``inputs`` (N, V, 3, H, W), float, and ``data_samples``.

        Raises:
            ValueError: If views differ in size, or have not this form.
        """
        views = data['inputs']
        samples = data.get('data_samples')
        if not isinstance(views, Tensor):
            shapes = sorted({tuple(x.shape) for x in views})
            if len(shapes) != 1:
                raise ValueError(
                    'The views of a batch must be of one size, '
                    f'got {shapes}. Crop or resize them to one '
                    "size in the dataset's pipeline."
                )
            views = torch.stack(list(views))
        if views.dim() == 4:
            views = views.unsqueeze(1)
        if (
            views.dim() != 5
            or views.shape[2] != 3
            or (samples is not None and len(samples) != len(views))
        ):
            raise ValueError(
                'A batch must hold N samples of V RGB views, (V, 3, H, W) '
                f'each, got {tuple(views.shape)} and '
                f'{samples if samples is None else len(samples)} data '
                'samples. End the pipeline with mcjepa_mm.PackViews.'
            )
        views = self.cast_data(views)
        return dict(
            inputs=(views.float() - self.mean) / self.std,
            data_samples=self.cast_data(samples),
        )


@MODELS.register_module()
class MultiTaskDataPreprocessor(BaseDataPreprocessor):
    """Preprocess the batch of each task by its own preprocessor.

    Args:
        tasks (dict[str, dict]): Config of the preprocessor of every task.

    Raises:
        KeyError: If a batch belongs to a task without a preprocessor.
    """

    def __init__(self, tasks: dict[str, dict]) -> None:
        super().__init__()
        self.tasks = nn.ModuleDict(
            {name: MODELS.build(cfg) for name, cfg in tasks.items()}
        )

    def forward(self, data: dict[str, dict], training: bool = False) -> dict:
        """Preprocess ``{task: {'inputs', 'data_samples'}}``.

        Returns:
            dict: ``inputs`` {task: (N, V, 3, H, W)} and ``data_samples``
            {task: list}.
        """
        missing = sorted(set(data) - set(self.tasks))
        if missing:
            raise KeyError(
                f'No preprocessor for the batch of {missing}, only for '
                f'{sorted(self.tasks)}. Batches are named by their task, '
                'which the multi-task loops do.'
            )
        done = {
            task: self.tasks[task](batch, training)
            for task, batch in data.items()
        }
        return {
            key: {task: batch.get(key) for task, batch in done.items()}
            for key in ('inputs', 'data_samples')
        }
