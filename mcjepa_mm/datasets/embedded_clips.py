"""Embedded world clips for video object segmentation."""

import numpy as np
import torch
from mmengine.structures import BaseDataElement, PixelData
from torch.utils.data import Dataset

from mcjepa_mm.datasets.embedded_pairs import split_number
from mcjepa_mm.datasets.embedded_world import EmbeddedWorld, masked_scene
from mcjepa_mm.registry import DATASETS

_KIND = 3  # keeps the scenes apart from those of EmbeddedPairs


@DATASETS.register_module()
class EmbeddedClips(Dataset):
    """Clips of the embedded world with masks of their objects.

    A sample is a whole clip: ``inputs``, (T, 3, H, W) uint8, RGB, the frames
    at times 0 to T - 1, and ``data_samples``, an mmengine BaseDataElement
    with ``sequence`` (its name), ``num_frames`` and ``gt_objects``: PixelData,
    (T, H, W) uint8, 0 background, objects from 1. As in DAVIS, what the first
    frame does not show, or hardly, is background.

    Args:
        length (int): Number of clips.
        split (str): 'train', 'val' or 'test'; splits share no clip.
        seed (int): Seed of the world.
        size (tuple[int, int]): Height and width in pixels.
        num_frames (int): Frames of a clip, at least 3, as J and F leave the
            first and the last one out.
        **world: Further arguments of
            :class:`~mcjepa_mm.datasets.embedded_world.EmbeddedWorld`.

    Raises:
        ValueError: For an unknown split, too few frames, a world without
            objects, or as EmbeddedWorld does.
    """

    def __init__(
        self,
        length: int,
        *,
        split: str = 'val',
        seed: int = 0,
        size: tuple[int, int] = (128, 128),
        num_frames: int = 8,
        **world,
    ) -> None:
        if num_frames < 3:
            raise ValueError(
                f'num_frames must be at least 3, got {num_frames}'
            )
        self.length = length
        self.split = split
        self.num_frames = num_frames
        self.world = EmbeddedWorld(
            size, seed=(seed, _KIND, split_number(split)), **world
        )
        self.metainfo = dict(
            dataset_type='embedded_world', task_name='video_segmentation'
        )

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        if not 0 <= index < self.length:
            raise IndexError(f'no clip {index} among {self.length}')
        clip = masked_scene(self.world, index)
        times = range(self.num_frames)
        frames = np.stack([clip.scene.frame(t) for t in times])
        masks = np.stack([clip.mask(t) for t in times])
        sample = BaseDataElement(
            metainfo=dict(
                sequence=f'world_{self.split}_{index + 1}',
                num_frames=self.num_frames,
            )
        )
        sample.set_field(PixelData(data=torch.from_numpy(masks)), 'gt_objects')
        frames = np.ascontiguousarray(frames.transpose(0, 3, 1, 2))
        return dict(inputs=torch.from_numpy(frames), data_samples=sample)
