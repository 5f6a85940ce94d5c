"""Objects followed by the likeness of features, clip by clip."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mcjepa_mm.datasets.video_segmentation import VideoSegmentation
from mcjepa_mm.evaluation.functional import object_scores
from mcjepa_mm.models.propagation import LabelPropagator, feature_grid

from .encoder import FrozenEncoder, normalize

READOUTS: dict[str, dict[str, Any]] = dict(
    stride8=dict(levels=[2], stride=8),
    all_stride4=dict(levels='all', stride=4),
)
"""Arguments of ``feature_grid`` for each way to read the pyramid."""

FIRST_MASK, COLOURS = 'first mask', 'colours'


def follow_objects(
    dataset: VideoSegmentation,
    encoder: FrozenEncoder | str,
    *,
    frames: int = 32,
    step: int = 2,
) -> dict[str, dict[str, dict[str, float]]]:
    """J&F of every clip, by the benchmark's rules.

    DINO's protocol, see :class:`LabelPropagator`. The first and the last
    frame do not count.

    Args:
        dataset (VideoSegmentation): Clips of one object each, with all masks
            and a pipeline that ends with ``PackVideoFrame``.
        encoder (FrozenEncoder | str): What gives features; or what stands
            beside encoders: 'colours', the mean colours of cells as large, or
            'first mask', which is copied to every frame.
        frames (int): Of how many first frames of a clip. Defaults to 32.
        step (int): Every which of them. Defaults to 2.

    Returns:
        dict: By name of the readout, of :data:`READOUTS`, and of the clip
        ``JF``, ``J`` and ``F``, in per cent.

    Raises:
        ValueError: If a clip has fewer than three such frames.
    """
    scores: dict[str, dict] = {name: {} for name in READOUTS}
    for indices in dataset.sequences:
        chosen = indices[:frames:step]
        clip = dataset.get_data_info(indices[0])['sequence']
        if len(chosen) < 3:
            raise ValueError(
                f'clip {clip!r} has {len(indices)} frames, of which '
                f'{len(chosen)} are taken; at least 3 are needed, since the '
                'first and the last do not count'
            )
        for name, values in _follow(dataset, chosen, encoder).items():
            region, outline = 100 * np.mean(values, axis=0)
            scores[name][clip] = dict(
                JF=float(region + outline) / 2,
                J=float(region),
                F=float(outline),
            )
    return scores


def _follow(
    dataset: VideoSegmentation, indices: range, encoder: FrozenEncoder | str
) -> dict[str, list[np.ndarray]]:
    """J and F of each frame of a clip but the first and the last."""
    followers = {name: LabelPropagator() for name in READOUTS}
    found: dict[str, list[np.ndarray]] = {name: [] for name in READOUTS}
    for index in indices:
        sample = dataset[index]
        image = sample['inputs'][None]
        truth = sample['data_samples'].gt_objects.data[0].numpy()
        if index == indices[0]:
            preds = {name: np.where(truth == 255, 0, truth) for name in found}
        if encoder != FIRST_MASK:
            size = tuple(image.shape[2:])
            for name, feat in _features(encoder, image).items():
                preds[name] = (
                    followers[name].start(feat, truth)
                    if index == indices[0]
                    else followers[name].step(feat, size)
                )
        if index not in (indices[0], indices[-1]):
            for name, pred in preds.items():
                found[name].append(object_scores(pred, truth, 1)[:, 0])
    return found


def _features(
    encoder: FrozenEncoder | str, image: Tensor
) -> dict[str, Tensor]:
    """Cells (h, w, C) of length 1 of an image, for each readout."""
    if encoder == COLOURS:
        return {
            name: _colours(image, options['stride'])
            for name, options in READOUTS.items()
        }
    maps, size = encoder.maps(image), tuple(image.shape[2:])
    return {
        name: feature_grid(maps, size, **options)[0]
        for name, options in READOUTS.items()
    }


def _colours(image: Tensor, stride: int) -> Tensor:
    """Mean colour of each cell, and a constant, as (h, w, 4) of length 1.

    Without the constant a cosine would know hues, but not brightness.
    """
    mean = F.avg_pool2d(normalize(image), stride)
    colours = torch.cat([mean, torch.ones_like(mean[:, :1])], dim=1)
    return F.normalize(colours, dim=1)[0].permute(1, 2, 0).contiguous()
