"""Base class of mmengine models with a method for each mode."""

from typing import Any

from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS


class ModeModel(BaseModel):
    """Base model with a method for each mode and an optional loss guard.

    Attributes:
        loss_guard: What has ``train_step(model, data, optim_wrapper)``, such
            as :class:`~mcjepa_mm.engine.hooks.LossGuardHook`, which sets it
            while it guards a run; None for mmengine's step.

    Args:
        data_preprocessor (dict | nn.Module, optional): The preprocessor or
            its config. Defaults to mmengine's.
        init_cfg (dict, optional): mmengine's initialisation.
    """

    loss_guard = None

    def __init__(
        self,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        if isinstance(data_preprocessor, dict):
            # mmengine would look for it in the default scope only.
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(
            data_preprocessor=data_preprocessor, init_cfg=init_cfg
        )

    def train_step(
        self, data: Any, optim_wrapper: OptimWrapper
    ) -> dict[str, Tensor]:
        """Run mmengine's ``train_step``, or the loss guard's."""
        if self.loss_guard is None:
            return super().train_step(data, optim_wrapper)
        return self.loss_guard.train_step(self, data, optim_wrapper)

    def forward(
        self, inputs: Any, data_samples: Any = None, mode: str = 'tensor'
    ) -> Any:
        """Run the method of a mode.

        Args:
            inputs: What the data preprocessor makes of a batch's images.
            data_samples (optional): Likewise, of its data samples.
            mode (str): 'loss', 'predict' or 'tensor'.

        Returns:
            What the method of that name does.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.tensor(inputs)
        raise ValueError(
            f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}."
        )
