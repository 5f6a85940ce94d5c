"""Plain colours as features of frames."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .feature_reader import FeatureReader


class ColorReader(FeatureReader):
    """Colours, whitened where that is asked for, and a constant.

    Without the constant a cosine would know hues, but not brightness; and
    whitening would take off one that is there before.
    """

    def grid(self, maps: Tensor, image_size: tuple[int, int]) -> Tensor:
        """Colours and constant (N, H / stride, W / stride, 4)."""
        colors = maps if isinstance(maps, Tensor) else maps[0]
        if self.whitening is not None:
            colors = self.whitening[0].apply(colors)
        both = torch.cat([colors, torch.ones_like(colors[:, :1])], dim=1)
        return F.normalize(both).permute(0, 2, 3, 1).contiguous()
