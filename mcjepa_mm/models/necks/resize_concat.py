from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mcjepa_mm.registry import MODELS

from ..backbones.layers import build_norm


@MODELS.register_module()
class ResizeConcat(BaseModule):
    """Resize, concatenate and normalise all levels of a pyramid.

    Levels are resized to the first one, the finest, and concatenated; a norm
    follows. With a 1 x 1 convolution behind it, mmsegmentation's ``FCNHead``
    without convolutions of its own, it is the frozen linear segmentation head
    of VICRegL for ConvNeXt (seen in its configs). Being a neck it needs no
    part of mmsegmentation.

    Args:
        in_channels (Sequence[int]): Channels of each level, fine to coarse.
        norm_cfg (dict): The norm over all channels: ``type`` 'SyncBN', 'BN'
            or 'LN2d'. Defaults to ``dict(type='SyncBN')``.
        init_cfg (dict | list[dict], optional): mmengine's initialisation.

    Attributes:
        out_channels (int): Sum of ``in_channels``.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        norm_cfg: dict | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_channels = tuple(in_channels)
        self.out_channels = sum(in_channels)
        norm_cfg = norm_cfg or dict(type='SyncBN')
        self.norm = build_norm(norm_cfg, self.out_channels)

    def forward(self, feats: Sequence[Tensor]) -> tuple[Tensor]:
        """Resize and concatenate the levels.

        Args:
            feats (Sequence[Tensor]): (N, C_l, H_l, W_l), fine to coarse.

        Returns:
            tuple[Tensor]: One map, (N, out_channels, H_0, W_0).

        Raises:
            ValueError: If the levels have other channels than announced.
        """
        channels = tuple(x.shape[1] for x in feats)
        if channels != self.in_channels:
            raise ValueError(
                f'ResizeConcat expects levels of {self.in_channels} channels, '
                f"got {channels}. Set its in_channels to the backbone's "
                'out_channels.'
            )
        size = feats[0].shape[-2:]
        levels = [
            F.interpolate(x, size, mode='bilinear', align_corners=False)
            for x in feats
        ]
        return (self.norm(torch.cat(levels, 1)),)
