"""Reference models: color features, perfect features, static mask."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor, nn

from mcjepa_mm.models.propagation import (
    ColorReader,
    LabelPropagation,
    mask_to_labels,
)
from mcjepa_mm.registry import MODELS


class MeanColor(nn.Module):
    """Features are the mean colours of cells.

    Args:
        stride (int): Pixels of a cell's side.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 3, H / stride, W / stride)."""
        return F.avg_pool2d(x, self.stride)


@MODELS.register_module()
class ColorPropagation(LabelPropagation):
    """Label propagation by the mean colours of the cells.

    Args:
        whiten (str, optional): See :class:`LabelPropagation`.
        shrinkage (float): See :class:`LabelPropagation`.
        **kwargs: Of :class:`LabelPropagation`; its backbone is replaced.
    """

    def __init__(
        self,
        *args,
        whiten: str | None = None,
        shrinkage: float = 1e-3,
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.backbone = MeanColor(self.stride)
        self.reader = ColorReader(
            levels='all',
            stride=self.stride,
            whiten=whiten,
            shrinkage=shrinkage,
        )


@MODELS.register_module()
class PerfectPropagation(LabelPropagation):
    """Label propagation by one-hot vectors of the true objects.

    What it misses of 100 per cent is the protocol's own loss: masks are made
    of cells. The backbone is not asked; every frame needs its true mask.
    """

    def predict(
        self, inputs: Tensor, data_samples: list[BaseDataElement]
    ) -> list[BaseDataElement]:
        """Keep the truth for :meth:`extract_cells`."""
        self._masks = [
            sample.gt_objects.data[0].cpu().numpy() for sample in data_samples
        ]
        if data_samples[0].frame_index == 0:
            first = self._masks[0]
            self._channels = 1 + int(first.max(initial=0, where=first != 255))
        return super().predict(inputs, data_samples)

    def extract_cells(self, images: Tensor, starts: Sequence[bool]) -> Tensor:
        """One-hot vectors (N, H / stride, W / stride, objects + 1)."""
        size = tuple(length // self.stride for length in images.shape[2:])
        feats = images.new_zeros(len(images), *size, self._channels)
        for feat, mask in zip(feats, self._masks, strict=True):
            # what the first mask does not have is background
            known = np.where(mask < self._channels, mask, 0)
            labels, numbers = mask_to_labels(known, size)
            feat[..., torch.from_numpy(numbers).long()] = labels.to(feat)
        return feats


@MODELS.register_module()
class FirstMask(LabelPropagation):
    """Objects stay where the first mask has them."""

    def predict(
        self, inputs: Tensor, data_samples: list[BaseDataElement]
    ) -> list[BaseDataElement]:
        """Copy the first mask."""
        for sample in data_samples:
            if sample.frame_index == 0:
                mask = sample.gt_objects.data.cpu()
                self._mask = mask.masked_fill(mask == 255, 0)
            sample.pred_objects = PixelData(data=self._mask)
        return data_samples
