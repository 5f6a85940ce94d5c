from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from typing import TypeGuard

from mmengine.model import BaseModule
from torch import Tensor

from mcjepa_mm.registry import MODELS


@MODELS.register_module()
class FlowEncoderBackbone(BaseModule):
    """Use an encoder of mmflow as the pretraining's backbone.

    mmflow's pyramid encoders return a dict by the name of the level, the
    pretraining wants a tuple, fine to coarse. PWC-Net's encoder is one of the
    backbones that the paper compares (p).

    Args:
        encoder (dict): Config of the encoder, such as
            ``mmflow.PWCNetEncoder``. mmflow initialises its encoders from
            the flow model around them, so give it an ``init_cfg`` here.
        level_names (Sequence[str]): The levels that are returned, fine to
            coarse. Defaults to 'level1' to 'level6'.
        init_cfg (dict, optional): mmengine's initialisation.

    Attributes:
        out_channels (tuple[int] | None): Channels of each level; None for an
            encoder that has no plain lists of channels and strides by level,
            as the kin of PWC-Net's have.
        out_strides (tuple[int] | None): Stride of each level, likewise.

    Example:
        >>> backbone = FlowEncoderBackbone(
        ...     dict(
        ...         type='mmflow.PWCNetEncoder',
        ...         in_channels=3,
        ...         pyramid_levels=[f'level{i}' for i in range(1, 7)],
        ...     )
        ... )
        >>> backbone.out_channels
        (16, 32, 64, 96, 128, 196)
        >>> backbone.out_strides
        (2, 4, 8, 16, 32, 64)
    """

    def __init__(
        self,
        encoder: dict,
        level_names: Sequence[str] = (
            'level1',
            'level2',
            'level3',
            'level4',
            'level5',
            'level6',
        ),
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.encoder = MODELS.build(encoder)
        self.level_names = tuple(level_names)
        self.out_channels, self.out_strides = self._describe()

    def _describe(self) -> tuple[tuple[int, ...] | None, ...]:
        """Channels and strides of the levels, where the encoder has them.

        mmflow's ``BasicEncoder`` calls its i-th step 'level{i + 1}', and has
        the channels and the stride of every step in two lists.
        """
        channels = getattr(self.encoder, 'out_channels', None)
        steps = getattr(self.encoder, 'strides', None)
        if not (_are_numbers(channels) and _are_numbers(steps)):
            return None, None
        strides = accumulate(steps, mul)
        known = {
            f'level{i}': step
            for i, step in enumerate(zip(channels, strides), start=1)
        }
        if not set(self.level_names) <= set(known):
            return None, None
        return tuple(zip(*(known[name] for name in self.level_names)))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the pyramid.

        Args:
            x (Tensor): (N, in_channels, H, W), normalised image.

        Returns:
            tuple[Tensor]: (N, C_l, H_l, W_l) of each of ``level_names``.

        Raises:
            TypeError: If the encoder does not return a dict.
            ValueError: If it does not return all levels.
        """
        levels = self.encoder(x)
        name = type(self.encoder).__name__
        if not isinstance(levels, dict):
            raise TypeError(
                'FlowEncoderBackbone takes encoders that return a dict of '
                f'levels, such as mmflow.PWCNetEncoder, but {name} returned '
                f'{type(levels).__name__}.'
            )
        missing = [key for key in self.level_names if key not in levels]
        if missing:
            raise ValueError(
                f'FlowEncoderBackbone was asked for the levels {missing}, '
                f'but {name} returned {list(levels)}. Set its '
                '`pyramid_levels` or `level_names`.'
            )
        return tuple(levels[key] for key in self.level_names)


def _are_numbers(value: object) -> TypeGuard[Sequence[int]]:
    return isinstance(value, (tuple, list)) and all(
        isinstance(number, int) for number in value
    )
