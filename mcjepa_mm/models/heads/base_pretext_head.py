from abc import ABCMeta, abstractmethod
from collections.abc import Callable

from mmengine.model import BaseModule
from mmengine.structures import BaseDataElement
from torch import Tensor


class BasePretextHead(BaseModule, metaclass=ABCMeta):
    """What a pretext task is: views and their features in, a loss out.

    A new task is a subclass of this and a dataloader, both named in the
    config. ``inputs`` are the task's views (N, V, 3, H, W), normalised, and
    ``feats`` the pyramid of the shared encoder over ``inputs.flatten(0, 1)``,
    fine to coarse, each level (N * V, C_l, H_l, W_l).

    Args:
        num_views (int): The number of views V that training needs.
        loss_weight (float): Weight of the task in the total loss. A plain
            attribute, so a ``ScheduleHook`` may change it.
        init_cfg (dict, optional): mmengine's initialisation.
    """

    def __init__(
        self,
        *,
        num_views: int,
        loss_weight: float = 1.0,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_views = num_views
        self.loss_weight = loss_weight

    def check_views(
        self, inputs: Tensor, num_views: int | None = None
    ) -> None:
        """Refuse inputs that are not (N, num_views, 3, H, W)."""
        num_views = num_views or self.num_views
        if inputs.dim() != 5 or inputs.shape[1] != num_views:
            raise ValueError(
                f'{type(self).__name__} takes inputs of shape (N, '
                f'{num_views}, 3, H, W), got {tuple(inputs.shape)}. '
                "Check the pipeline of the task's dataset: it must pack "
                f'{num_views} views.'
            )

    @abstractmethod
    def loss(
        self,
        feats: tuple[Tensor, ...],
        inputs: Tensor,
        encode: Callable[[Tensor], tuple[Tensor, ...]],
    ) -> dict[str, Tensor]:
        """The terms of the task's loss, multiplied by their coefficients.

        Args:
            feats (tuple[Tensor]): The pyramid, see above.
            inputs (Tensor): (N, V, 3, H, W).
            encode (Callable): The shared encoder, (N, V, 3, H, W) to the
                pyramid, for a head that makes further views of its inputs.

        Returns:
            dict[str, Tensor]: Scalars. The task's own ``loss_weight`` is
            applied by the pretrainer.
        """

    def predict(
        self,
        feats: tuple[Tensor, ...],
        inputs: Tensor,
        data_samples: list[BaseDataElement],
    ) -> list[BaseDataElement]:
        """Add what the task predicts to each of the N data samples.

        By default nothing: a task that is not validated needs no more.
        """
        return data_samples
