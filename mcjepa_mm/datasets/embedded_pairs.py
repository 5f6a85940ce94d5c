"""The embedded world as data for motion."""

import numpy as np
import torch
from mmengine.structures import BaseDataElement, PixelData
from torch.utils.data import Dataset

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

    Args:
        length (int): Number of scenes.
        split (str): 'train', 'val' or 'test'; splits share no scene.
        seed (int): Seed of the world.
        size (tuple[int, int]): Height and width in pixels.
        with_gt (bool): Whether samples hold ground truth, that of the first
            two frames.
        num_frames (int): Consecutive frames of a sample. Defaults to 2.
        **world: Further arguments of
            :class:`~mcjepa_mm.datasets.embedded_world.EmbeddedWorld`.

    Raises:
        ValueError: For an unknown split, or as EmbeddedWorld does.
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
        jitter: dict | None = None,
        **world,
    ) -> None:
        self.length = length
        self.with_gt = with_gt
        self.num_frames = num_frames
        self.crop_size = crop_size
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
        frames = np.stack([scene.frame(t) for t in range(self.num_frames)])
        sample = BaseDataElement(
            metainfo=dict(
                sample_idx=index,
                img_shape=self.world.size,
                ori_shape=self.world.size,
            )
        )
        if self.with_gt:
            for name, t, t2 in (('fw', 0, 1), ('bw', 1, 0)):
                flow = torch.from_numpy(scene.flow(t, t2))
                occlusion = torch.from_numpy(scene.occlusion(t, t2)).float()
                sample.set_field(PixelData(data=flow), f'gt_flow_{name}')
                sample.set_field(
                    PixelData(data=occlusion[None]), f'gt_occ_{name}'
                )
        frames = np.ascontiguousarray(frames.transpose(0, 3, 1, 2))
        if self.crop_size:
            frames, sample = self._crop(frames, sample)
        return dict(inputs=torch.from_numpy(frames), data_samples=sample)

    def _crop(self, frames, sample):
        h, w = self.crop_size
        room = np.array(frames.shape[-2:]) - (h, w)
        first = np.random.randint(0, room + 1)
        low = np.maximum(first - self.max_offset, 0)
        high = np.minimum(first + self.max_offset, room)
        second = np.random.randint(low, high + 1)
        places = [first, second]
        cut = [
            f[:, y : y + h, x : x + w] for f, (y, x) in zip(frames, places)
        ]
        if self.with_gt:
            out = BaseDataElement(
                metainfo=dict(sample.metainfo, img_shape=self.crop_size)
            )
            for name, a, b in (('fw', first, second), ('bw', second, first)):
                y, x = a
                flow = sample.get(f'gt_flow_{name}').data
                flow = flow[:, y : y + h, x : x + w].clone()
                flow += torch.tensor((a - b)[::-1].copy())[:, None, None]
                occ = sample.get(f'gt_occ_{name}').data
                occ = occ[:, y : y + h, x : x + w]
                gx = flow[0] + torch.arange(w)
                gy = flow[1] + torch.arange(h)[:, None]
                out_ = (gx < 0) | (gx > w - 1) | (gy < 0) | (gy > h - 1)
                occ = torch.maximum(occ, out_[None].float())
                out.set_field(PixelData(data=flow), f'gt_flow_{name}')
                out.set_field(PixelData(data=occ), f'gt_occ_{name}')
            sample = out
        return np.stack(cut), sample


def split_number(split: str) -> int:
    """Position of ``split`` in ``SPLITS``: part of a world's seed."""
    if split not in SPLITS:
        raise ValueError(f'split must be one of {SPLITS}, got {split!r}')
    return SPLITS.index(split)
