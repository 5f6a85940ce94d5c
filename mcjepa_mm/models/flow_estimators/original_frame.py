"""From the frames that a model was given back to those of the file."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..flow import resize_flow


def to_original_frame(data: Tensor, meta: dict[str, Any]) -> Tensor:
    """Undo the padding and resizing of mmflow's test pipelines.

    Args:
        data (Tensor): Flow (2, H, W) in pixels, or a mask (1, H, W).
        meta (dict): Meta data of the sample: ``pad``, rows and columns that
            ``InputPad`` added before and after, and ``ori_shape``.

    Returns:
        Tensor: Flow or mask at ``ori_shape``, in its pixels. Without meta
        data, as it came.
    """
    if meta.get('pad') is not None:
        (top, bottom), (left, right) = meta['pad'][:2]
        height, width = data.shape[-2:]
        data = data[:, top : height - bottom, left : width - right]
    size = tuple(meta.get('ori_shape', data.shape[-2:])[:2])
    if size == tuple(data.shape[-2:]):
        return data
    if len(data) == 2:
        return resize_flow(data[None], size)[0]
    return F.interpolate(data[None], size=size, mode='nearest')[0]
