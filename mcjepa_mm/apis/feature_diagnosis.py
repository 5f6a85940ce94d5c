"""Diagnose collapse and position codes in features, level by level."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from rich.progress import track
from torch import Tensor

from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.evaluation.frozen.encoder import normalize
from mcjepa_mm.evaluation.functional.cell_matching import (
    cell_labels,
    nearest_cells,
    right_place,
    same_label,
    true_places,
)
from mcjepa_mm.evaluation.functional.feature_findings import (
    CONSTANT,
    POSITION,
    RANK,
    TOP_DIRECTION,
    LevelFigures,
    findings,
)
from mcjepa_mm.evaluation.functional.feature_moments import FeatureMoments
from mcjepa_mm.models.backbones import MCJEPAConvNeXt

from .diagnosis_pictures import (
    FEWEST,
    PictureSource,
    folder_clips,
    folder_pictures,
    world_pictures,
)
from .feature_maps import STRIDES, load_encoder

LIMITS = dict(
    constant=CONSTANT,
    position=POSITION,
    rank=RANK,
    top_direction=TOP_DIRECTION,
)
"""By figure; of the rank it is the least share of the most it can be."""

NUM_PAIRS = 64
"""Scenes whose next frame is searched for their cells."""

_FEWEST_CLIPS = 8  # below, a position code is told from chance too badly
_BATCH = 16
_MOST_SOURCES = 1024  # cells of a frame that are looked for in the next


@dataclass(frozen=True)
class Diagnosis:
    """Feature statistics of one encoder on one image source.

    Attributes:
        pictures (str): The source.
        number (int): How many pictures of it.
        trained (list[LevelFigures]): Fine to coarse.
        untrained (list[LevelFigures]): Of the same arch with random weights,
            the same ones every time.
    """

    pictures: str
    number: int
    trained: list[LevelFigures]
    untrained: list[LevelFigures]

    @property
    def verdict(self) -> str:
        """One line that says what is wrong with the trained encoder."""
        found = findings(self.trained, self.untrained)
        return '; '.join(found) or 'nothing found'


def diagnose(
    checkpoint: str | os.PathLike,
    *,
    images: str | os.PathLike | None = None,
    videos: str | os.PathLike | None = None,
    num_images: int = 256,
    size: int = 128,
    device: str | torch.device | None = None,
    show_progress: bool = False,
) -> list[Diagnosis]:
    """Measure what the levels of an encoder's pyramid are made of.

    An encoder of the same arch with random weights is measured beside, since
    the figures depend on the pictures.

    Args:
        checkpoint (str | PathLike): Checkpoint with the encoder, of the
            pretraining or of a model with its backbone. It tells the arch.
        images (str | PathLike, optional): Folder with images, at any depth.
        videos (str | PathLike, optional): Folder with videos and folders of
            frames, at any depth. Defaults to None; without either, scenes of
            the embedded world, whose ground truth two more figures need.
        num_images (int): Pictures of each source, if it has as many.
            Defaults to 256.
        size (int): Side of the pictures, pixels, a multiple of 64: scaled to
            fill a square of it, the middle cut out. Defaults to 128.
        device (str | torch.device, optional): Defaults to None: the GPU if
            there is one.
        show_progress (bool): Whether to draw a progress bar.

    Returns:
        list[Diagnosis]: One for each source of pictures.

    Raises:
        BadSampleError: If a picture is damaged.
        FileNotFoundError: If there is no such checkpoint or folder.
        ValueError: If the checkpoint holds no encoder of colour images,
            there are too few pictures, the size is not possible, or features
            are not finite.

    Example::

        (found,) = diagnose('epoch_8.pth')
        found.verdict
        # 'nothing found'
    """
    total = math.prod(STRIDES)
    if size < total or size % total:
        raise ValueError(
            f'size must be a multiple of {total} px, the coarsest stride, '
            f'got {size}'
        )
    if num_images < FEWEST:
        raise ValueError(
            f'the figures need at least {FEWEST} pictures, got '
            f'num_images={num_images}'
        )
    sources = []
    if images is not None:
        sources.append(folder_pictures(images, num_images, size))
    if videos is not None:
        sources.append(folder_clips(videos, num_images, size))
    if not sources:
        sources.append(world_pictures(num_images, size))
    device = device or get_device()
    encoders = [
        load_encoder(checkpoint, STRIDES, device, untrained=untrained)
        for untrained in (False, True)
    ]
    return [_diagnose(encoders, x, show_progress) for x in sources]


def report(found: Sequence[Diagnosis]) -> list[dict[str, Any]]:
    """The same as what JSON holds: plain dicts and numbers, None for none."""
    return [
        dict(
            pictures=x.pictures,
            number=x.number,
            verdict=x.verdict,
            trained=[vars(level) for level in x.trained],
            untrained=[vars(level) for level in x.untrained],
        )
        for x in found
    ]


@torch.no_grad()
def _diagnose(
    encoders: Sequence[MCJEPAConvNeXt],
    source: PictureSource,
    show_progress: bool,
) -> Diagnosis:
    moments = [
        [FeatureMoments(source.frames_per_clip) for _ in encoder.out_strides]
        for encoder in encoders
    ]
    for pictures in _batches(source, show_progress):
        for encoder, levels in zip(encoders, moments):
            for i, feats in enumerate(_encode(encoder, pictures)):
                try:
                    levels[i].add(feats)
                except ValueError as error:
                    raise ValueError(f'level {i}: {error}') from error
    matches: list[list[dict]] = [[{} for _ in levels] for levels in moments]
    if source.world is not None:
        matches = _match(
            encoders, moments, source, source.world, show_progress
        )
    measured = [
        [
            _figures(i, encoder.out_strides[i], levels[i], found[i])
            for i in range(len(levels))
        ]
        for encoder, levels, found in zip(encoders, moments, matches)
    ]
    number = len(source.clips) * source.frames_per_clip
    return Diagnosis(source.name, number, *measured)


def _batches(
    source: PictureSource, show_progress: bool
) -> Iterator[np.ndarray]:
    """Whole clips, about as many pictures as one pass should have."""
    step = max(1, _BATCH // source.frames_per_clip)
    starts = range(0, len(source.clips), step)
    for i in track(starts, source.name, disable=not show_progress):
        yield np.concatenate([clip() for clip in source.clips[i : i + step]])


def _encode(encoder: MCJEPAConvNeXt, pictures: np.ndarray) -> list[Tensor]:
    """(N, H, W, 3) uint8 to maps (N, C, h, w), float32 on the CPU."""
    inputs = normalize(torch.tensor(pictures).permute(0, 3, 1, 2))
    feats = encoder(inputs.to(next(encoder.parameters()).device))
    return [x.float().cpu() for x in feats]


def _match(
    encoders: Sequence[MCJEPAConvNeXt],
    moments: Sequence[Sequence[FeatureMoments]],
    source: PictureSource,
    world: EmbeddedWorld,
    show_progress: bool,
) -> list[list[dict[str, float | None]]]:
    """Look for the cells of a frame in the next one, level by level."""
    gathered: list[list[list]] = [[[] for _ in levels] for levels in moments]
    scenes = range(min(NUM_PAIRS, len(source.clips)))
    for index in track(scenes, 'next frames', disable=not show_progress):
        scene = world.scene(index)
        frames = np.stack([scene.frame(t) for t in (0, 1)])
        masks = [torch.from_numpy(scene.instance_mask(t)) for t in (0, 1)]
        flow = torch.from_numpy(scene.flow(0, 1))
        occluded = torch.from_numpy(scene.occlusion(0, 1))
        for encoder, levels, outs in zip(encoders, moments, gathered):
            feats = _encode(encoder, frames)
            for feat, stride, level, out in zip(
                feats, encoder.out_strides, levels, outs
            ):
                out.append(
                    _match_level(
                        feat, level.mean, masks, flow, occluded, stride, index
                    )
                )
    return [[_shares(out) for out in outs] for outs in gathered]


def _match_level(
    feats: Tensor,
    mean: Tensor,
    masks: Sequence[Tensor],
    flow: Tensor,
    occluded: Tensor,
    stride: int,
    seed: int,
) -> tuple[Tensor, ...]:
    """Hits and chances of one pair of frames: same object, right place."""
    source, target = feats.flatten(2).transpose(1, 2)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(source), generator=generator)[:_MOST_SOURCES]
    nearest = nearest_cells(source[chosen], target, mean)
    labels, target_labels = (cell_labels(x, stride) for x in masks)
    places, seen = true_places(flow, occluded, stride)
    seen = seen[chosen]
    return (
        *same_label(nearest, labels[chosen], target_labels),
        *right_place(nearest[seen], places[chosen][seen], feats.shape[2:]),
    )


def _shares(out: Sequence[tuple[Tensor, ...]]) -> dict[str, float | None]:
    names = ('same_object', 'same_object_chance', 'pck', 'pck_chance')
    columns = [torch.cat(parts).double() for parts in zip(*out)]
    return {
        name: x.mean().item() if len(x) else None
        for name, x in zip(names, columns)
    }


def _figures(
    index: int,
    stride: int,
    moments: FeatureMoments,
    matches: dict[str, float | None],
) -> LevelFigures:
    position = math.nan
    if moments.num_clips >= _FEWEST_CLIPS:
        position = moments.position_share()
    top = moments.top_direction_share()
    return LevelFigures(
        level=index,
        stride=stride,
        channels=len(moments.mean),
        constant=moments.constant_share(),
        position=None if math.isnan(position) else position,
        rank=moments.rank(),
        max_rank=moments.max_rank,
        top_direction=None if math.isnan(top) else top,
        **matches,
    )
