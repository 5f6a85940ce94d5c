"""Label propagation by feature similarity, clip by clip."""

from typing import Any

import numpy as np
import torch.nn.functional as F

from mcjepa_mm.datasets.video_segmentation import VideoSegmentation
from mcjepa_mm.evaluation.functional import object_scores
from mcjepa_mm.models.propagation import (
    ColorReader,
    FeatureReader,
    LabelPropagator,
)
from mcjepa_mm.models.propagation.feature_reader import FIRST_FRAME

from .encoder import FrozenEncoder, normalize

READOUTS: dict[str, dict[str, Any]] = dict(
    stride8=dict(levels=[2], stride=8),
    white_stride8=dict(levels=[2], stride=8, whiten=FIRST_FRAME),
    all_stride4=dict(levels='all', stride=4),
    white_all_stride4=dict(levels='all', stride=4, whiten=FIRST_FRAME),
)
"""Arguments of :class:`FeatureReader` for each way to read the pyramid.

Whitened ones know the first frame of the clip and no other.
"""

FIRST_MASK, COLORS = 'first mask', 'colours'


def measure_propagation(
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
            beside encoders: 'colours', the mean colours of cells as large,
            whitened where features are, or 'first mask', which is copied to
            every frame.
        frames (int): Of how many first frames of a clip. Defaults to 32.
        step (int): Every which of them. Defaults to 2.

    Returns:
        dict: By name of the readout, of :data:`READOUTS`, and of the clip
        ``JF``, ``J`` and ``F``, in per cent.

    Raises:
        ValueError: If a clip has fewer than three such frames, or a first
            frame that cannot be whitened, see
            :func:`~mcjepa_mm.models.propagation.whitening`.
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
    readers = _readers(encoder)
    found: dict[str, list[np.ndarray]] = {name: [] for name in READOUTS}
    for index in indices:
        sample = dataset[index]
        image = sample['inputs'][None]
        truth = sample['data_samples'].gt_objects.data[0].numpy()
        is_first, size = index == indices[0], tuple(image.shape[2:])
        if is_first:
            preds = {name: np.where(truth == 255, 0, truth) for name in found}
        # the encoder is asked once, however many read its maps
        maps = None
        if readers and not isinstance(encoder, str):
            maps = encoder.maps(image)
        for name, reader in readers.items():
            given = maps
            if given is None:
                given = F.avg_pool2d(normalize(image), reader.stride)
            feat = reader.read(given, size, [is_first])[0]
            preds[name] = (
                followers[name].start(feat, truth)
                if is_first
                else followers[name].step(feat, size)
            )
        if index not in (indices[0], indices[-1]):
            for name, pred in preds.items():
                found[name].append(object_scores(pred, truth, 1)[:, 0])
    return found


def _readers(encoder: FrozenEncoder | str) -> dict[str, FeatureReader]:
    """Feature readers of the readouts; None for the first mask."""
    if encoder == FIRST_MASK:
        return {}
    if encoder == COLORS:
        return {
            name: ColorReader(**dict(options, levels='all'))
            for name, options in READOUTS.items()
        }
    return {
        name: FeatureReader(**options) for name, options in READOUTS.items()
    }
