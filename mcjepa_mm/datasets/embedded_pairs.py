"""Embedded world frame pairs with optical flow ground truth."""

import numpy as np
import torch
from mmengine.structures import BaseDataElement, PixelData
from torch.utils.data import Dataset

from mcjepa_mm.datasets.crops import cut, cut_flow, draw_corners
from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.registry import DATASETS

SPLITS = ('train', 'val', 'test')
_KIND = 0  # keeps the scenes apart from those of EmbeddedImages


@DATASETS.register_module()
class EmbeddedPairs(Dataset):
    """Two frames of each scene of the embedded world, with ground truth.

    A sample holds ``inputs``, (2, 3, H, W) uint8, RGB, the frames at times 0
    and 1 (and on, with ``num_frames``), and ``data_samples``, an mmengine
    BaseDataElement with mmflow's field names:

    - ``gt_flow_fw``, ``gt_flow_bw``: PixelData, (2, H, W) float32, x then y,
      pixels, on the grid of the first and of the second frame.
    - ``gt_occ_fw``, ``gt_occ_bw``: PixelData, (1, H, W) float32, 1 = occluded
      or moved out of the frame.

    With ``crop_size`` the frames are windows of the scene, which is as large
    as ``size`` says, drawn by NumPy's global generator, see
    :func:`~mcjepa_mm.datasets.crops.draw_corners`.

    Args:
        length (int): Number of scenes.
        split (str): 'train', 'val' or 'test'; splits share no scene.
        seed (int): Seed of the world.
        size (tuple[int, int]): Height and width in pixels.
        with_gt (bool): Whether samples hold ground truth, that of the first
            two frames.
        num_frames (int): Consecutive frames of a sample. Defaults to 2.
        crop_size (tuple[int, int], optional): Height and width of a window
            that is cut from each frame. Defaults to None: whole frames.
        max_offset (int): Pixels, in each direction, that the windows of a
            sample may be apart. Defaults to 0.
        **world: Further arguments of
            :class:`~mcjepa_mm.datasets.embedded_world.EmbeddedWorld`.

    Raises:
        ValueError: For an unknown split, a window larger than the frames or
            offsets without one, or as EmbeddedWorld does.
    """

    def __init__(
        self,
        length: int,
        *,
        split: str = 'train',
        seed: int = 0,
        size: tuple[int, int] = (128, 128),
        with_gt: bool = True,
        num_frames: int = 2,
        crop_size: tuple[int, int] | None = None,
        max_offset: int = 0,
        **world,
    ) -> None:
        if crop_size is None and max_offset:
            raise ValueError(
                f'max_offset={max_offset} moves windows: give their crop_size'
            )
        if crop_size and any(a > b for a, b in zip(crop_size, size)):
            raise ValueError(
                f'crop_size {tuple(crop_size)} is larger than the frames, '
                f'size {tuple(size)}'
            )
        self.length = length
        self.with_gt = with_gt
        self.num_frames = num_frames
        self.crop_size = tuple(crop_size or size)
        self.max_offset = max_offset
        self.world = EmbeddedWorld(
            size, seed=(seed, _KIND, split_number(split)), **world
        )
        self.metainfo = dict(
            dataset_type='embedded_world',
            task_name='motion',
            classes=self.world.classes,
        )

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        if not 0 <= index < self.length:
            raise IndexError(f'no pair {index} among {self.length}')
        scene = self.world.scene(index)
        size = self.crop_size
        corners = [(0, 0)] * self.num_frames
        if size != self.world.size:
            corners = draw_corners(
                self.world.size,
                size,
                max_offset=self.max_offset,
                count=self.num_frames,
            )
        frames = np.stack(
            [
                cut(scene.frame(t).transpose(2, 0, 1), corner, size)
                for t, corner in enumerate(corners)
            ]
        )
        sample = BaseDataElement(
            metainfo=dict(
                sample_idx=index,
                img_shape=size,
                ori_shape=self.world.size,
            )
        )
        if self.with_gt:
            for name, t, t2 in (('fw', 0, 1), ('bw', 1, 0)):
                flow, occlusion = scene.flow(t, t2), scene.occlusion(t, t2)
                if size != self.world.size:
                    flow, occlusion = cut_flow(
                        flow, occlusion, corners[t], corners[t2], size
                    )
                flow = torch.from_numpy(flow)
                occlusion = torch.from_numpy(occlusion).float()
                sample.set_field(PixelData(data=flow), f'gt_flow_{name}')
                sample.set_field(
                    PixelData(data=occlusion[None]), f'gt_occ_{name}'
                )
        return dict(inputs=torch.from_numpy(frames), data_samples=sample)


def split_number(split: str) -> int:
    """Position of ``split`` in ``SPLITS``: part of a world's seed."""
    if split not in SPLITS:
        raise ValueError(f'split must be one of {SPLITS}, got {split!r}')
    return SPLITS.index(split)
