"""A frozen encoder, and its maps as vectors and cells."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.model import initialize
from torch import Tensor

from mcjepa_mm.models.backbones import MCJEPAConvNeXt, read_backbone
from mcjepa_mm.models.backbones.backbone_checkpoint import MEAN, STD


class FrozenEncoder:
    """A frozen encoder for images of 0 to 255.

    Args:
        backbone (MCJEPAConvNeXt): Returns all its levels.
    """

    def __init__(self, backbone: MCJEPAConvNeXt) -> None:
        self.backbone = backbone.eval().requires_grad_(False)

    @classmethod
    def from_checkpoint(cls, path: str | os.PathLike) -> 'FrozenEncoder':
        """Read the encoder of a checkpoint.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it holds no encoder of colour images.
        """
        return cls(read_backbone(path, in_channels=3).build(path))

    @classmethod
    def untrained(
        cls, settings: Mapping[str, Any], seed: int
    ) -> 'FrozenEncoder':
        """Build an encoder with random weights.

        Args:
            settings (Mapping): Arguments of :class:`MCJEPAConvNeXt`; ``type``
                is ignored.
            seed (int): Of the weights.
        """
        settings = {k: v for k, v in settings.items() if k != 'type'}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            backbone = MCJEPAConvNeXt(**settings)
            # not init_weights(), which logs every tensor
            initialize(backbone, backbone.init_cfg)
        return cls(backbone)

    @torch.no_grad()
    def maps(self, images: Tensor) -> list[Tensor]:
        """Encode images.

        Args:
            images (Tensor): (N, 3, H, W) uint8, RGB.

        Returns:
            list[Tensor]: (N, C_l, H_l, W_l) float32 of every level, fine to
            coarse.
        """
        return [x.float() for x in self.backbone(normalize(images))]


def normalize(images: Tensor) -> Tensor:
    """Normalise RGB images (N, 3, H, W) of 0 to 255 as in pretraining."""
    mean, std = (torch.tensor(x)[:, None, None] for x in (MEAN, STD))
    return (images.float() - mean) / std


def pool_maps(maps: Sequence[Tensor]) -> list[Tensor]:
    """Spatial mean (N, C_l) of every level."""
    return [x.mean(dim=(2, 3)) for x in maps]


def map_cells(maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Resize all levels to one grid and concatenate them.

    Args:
        maps (Sequence[Tensor]): (N, C_l, H_l, W_l).
        size (tuple[int, int]): Rows and columns. Finer levels are averaged,
            coarser ones interpolated.

    Returns:
        Tensor: (N, sum of C_l, rows, columns).
    """
    cells = [
        F.adaptive_avg_pool2d(x, size)
        if min(x.shape[2] - size[0], x.shape[3] - size[1]) >= 0
        else F.interpolate(x, size, mode='bilinear', align_corners=False)
        for x in maps
    ]
    return torch.cat(cells, dim=1)


def fit_to(image: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Resize an image (H, W, 3) to (3, rows, columns)."""
    if image.shape[:2] != tuple(size):
        shrinks = image.shape[0] > size[0]
        mode = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        image = cv2.resize(image, size[::-1], interpolation=mode)
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
