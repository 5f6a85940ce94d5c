from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from mmengine.model import BaseModule
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS


class EncoderInfo(NamedTuple):
    """Properties of the encoder and the images, None if unknown."""

    channels: tuple[int, ...] | None  # of each level, fine to coarse
    strides: tuple[int, ...] | None
    mean: tuple[float, ...] | None  # of R, G, B, what images are normalised by
    std: tuple[float, ...] | None


def fill_in(cfg: dict, **known: Any) -> dict:
    """Copy a config and add the values that are not None.

    Raises:
        ValueError: If the config has another value for it.
    """
    cfg = dict(cfg)
    for name, value in known.items():
        if value is None:
            continue
        given = cfg.setdefault(name, value)
        if np.shape(given) != np.shape(value) or not np.allclose(given, value):
            raise ValueError(
                f'{cfg["type"]} has {name}={given}, but the encoder or the '
                f'data preprocessor says {value}: leave `{name}` out.'
            )
    return cfg


class BasePretextHead(BaseModule, metaclass=ABCMeta):
    """Base class of pretext tasks: views and features in, a loss out.

    A new task is a subclass of this and a dataloader, both named in the
    config. ``inputs`` are the task's views (N, V, 3, H, W), normalised, and
    ``feats`` the pyramid of the shared encoder over ``inputs.flatten(0, 1)``,
    fine to coarse, each level (N * V, C_l, H_l, W_l).

    Args:
        num_views (int): The number of views V that training needs.
        loss_weight (float): Weight of the task in the total loss. A plain
            attribute, so a ``ScheduleHook`` may change it.
        init_cfg (dict, optional): mmengine's initialisation.

    Attributes:
        needs_feats (bool): Whether ``loss`` reads ``feats``. Without them the
            encoder is not run on the views, and ``feats`` is empty.
    """

    needs_feats = True

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

    @classmethod
    def complete(cls, cfg: dict, encoder: EncoderInfo) -> dict:
        """Complete the head's config from the encoder.

        By default nothing. A head whose ``in_channels`` are those of the
        coarsest level returns
        ``fill_in(cfg, in_channels=encoder.channels[-1])``.
        """
        return cfg

    def check_views(self, inputs: Tensor) -> None:
        """Refuse inputs that are not (N, num_views, 3, H, W)."""
        if inputs.dim() != 5 or inputs.shape[1] != self.num_views:
            raise ValueError(
                f'{type(self).__name__} takes inputs of shape (N, '
                f'{self.num_views}, 3, H, W), got {tuple(inputs.shape)}. '
                "Check the pipeline of the task's dataset: it must pack "
                f'{self.num_views} views.'
            )

    @abstractmethod
    def loss(
        self,
        feats: tuple[Tensor, ...],
        inputs: Tensor,
        encode: Callable[[Tensor], tuple[Tensor, ...]],
    ) -> dict[str, Tensor]:
        """Compute the task's loss terms, already weighted.

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
        """Add the task's predictions to each of the N data samples.

        By default nothing: a task that is not validated needs no more.
        """
        return data_samples


def build_head(
    cfg: dict, backbone: nn.Module, data_preprocessor: nn.Module | None
) -> nn.Module:
    """Build a head with the properties of encoder and images.

    That is ``out_channels`` and ``out_strides`` of the encoder, if it has one
    a level, and ``mean`` and ``std`` of the preprocessor.

    Raises:
        ValueError: If the config says something else than they do.
    """
    head = cfg['type']
    head = MODELS.get(head) if isinstance(head, str) else head
    if hasattr(head, 'complete'):
        cfg = head.complete(
            cfg,
            EncoderInfo(
                channels=_numbers(getattr(backbone, 'out_channels', None)),
                strides=_numbers(getattr(backbone, 'out_strides', None)),
                mean=_numbers(getattr(data_preprocessor, 'mean', None)),
                std=_numbers(getattr(data_preprocessor, 'std', None)),
            ),
        )
    return MODELS.build(cfg)


def _numbers(value: Any) -> tuple | None:
    """One number per level, or per channel of the images."""
    if isinstance(value, Tensor):
        value = value.flatten().tolist()
    return tuple(value) if isinstance(value, Sequence) else None
