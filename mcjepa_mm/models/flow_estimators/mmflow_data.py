"""Conversions between this package's flow and mmflow's."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from ..flow import resize_flow


def to_original_frame(data: Tensor, meta: dict[str, Any]) -> Tensor:
    """Undo the padding and resizing of mmflow's test pipelines.

    A flow (2, H, W) or a mask (1, H, W) comes back at the sample's
    ``ori_shape``, in its pixels; without meta data as it came. ``pad`` are
    the rows and columns that ``InputPad`` added before and after.
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


def supervised_loss(
    flow_loss: nn.Module,
    flows: Sequence[Tensor],
    strides: Sequence[int],
    size: tuple[int, int],
    data_samples: Sequence[BaseDataElement],
) -> dict[str, Tensor]:
    """Compare the flows of all levels with the ground truth.

    The ground truth is read here and not by mmflow's
    ``unpack_flow_data_samples``, which files ``gt_valid_fw`` under the
    backward direction, so that the holes of sparse ground truth would be
    trained on.

    Args:
        flow_loss (nn.Module): A loss of mmflow.
        flows (Sequence[Tensor]): Of the levels that are estimated, fine to
            coarse, (N, 2, H_l, W_l), pixels of their level, of frames that
            were padded at the bottom and the right.
        strides (Sequence[int]): Of all levels, fine to coarse.
        size (tuple[int, int]): Height and width of the frames.
        data_samples (Sequence[BaseDataElement]): ``gt_flow_fw``, (2, H, W),
            and maybe ``gt_valid_fw``, (1, H, W).

    Returns:
        dict[str, Tensor]: ``loss_flow``.

    Raises:
        ValueError: If there is no ground truth.
    """
    if not data_samples or any('gt_flow_fw' not in x for x in data_samples):
        raise ValueError(
            'MCJEPAFlow with a flow_loss trains on ground truth, but a data '
            'sample has no gt_flow_fw. Load it in the pipeline '
            '(LoadFlowAnnotations), or leave flow_loss out to train without '
            'labels.'
        )
    target = torch.stack([x.gt_flow_fw.data for x in data_samples])
    valid = target.isfinite().all(1)
    for sample, mask in zip(data_samples, valid):
        if 'gt_valid_fw' in sample:
            mask &= sample.gt_valid_fw.data[0] > 0.5
    # What is not valid is multiplied by 0 and must be finite for that.
    target = torch.where(valid.unsqueeze(1), target, 0.0)

    strides = strides[-len(flows) :]
    if not hasattr(flow_loss, 'weights'):  # SequenceLoss: coarse to fine
        predictions: list | dict = [
            _unpad(resize_flow(flow, _whole(flow, stride)), size)
            for flow, stride in zip(flows, strides)
        ][::-1]
    else:
        predictions = levels = {}
        for flow, stride in zip(flows, strides):
            whole = _whole(flow, stride)
            if whole == tuple(size):
                flow = flow * stride
            else:
                cut = _unpad(resize_flow(flow, whole), size)
                level = tuple(-(-side // stride) for side in size)
                flow = F.adaptive_avg_pool2d(cut, level)
            # In pixels of the image, or of the level, by flow_div.
            if flow_loss.scale_as_level:
                h, w = flow.shape[-2:]
                unit = flow.new_tensor([w / size[1], h / size[0]])
                flow = flow * unit.view(2, 1, 1)
            name = f'level{stride.bit_length() - 1}'
            levels[name] = flow / flow_loss.flow_div
        _check_levels(flow_loss.weights, levels)
    return dict(loss_flow=flow_loss(predictions, target, valid.float()))


def _whole(flow: Tensor, stride: int) -> tuple[int, int]:
    """Height and width of the padded frames."""
    return flow.shape[-2] * stride, flow.shape[-1] * stride


def _unpad(flow: Tensor, size: tuple[int, int]) -> Tensor:
    return flow[..., : size[0], : size[1]]


def _check_levels(weights: dict, predictions: dict) -> None:
    missing = sorted(set(weights) - set(predictions))
    if missing:
        raise ValueError(
            f'The flow loss weighs {sorted(weights)}, but there is no flow '
            f'of {missing}, only of {sorted(predictions)}: level k has stride '
            "2 ** k. Change the loss's `weights`, or the decoder's `finest`."
        )
