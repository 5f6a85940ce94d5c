"""Data sets of the embedded world: frame pairs, images and clips."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.structures import BaseDataElement, PixelData
from torch.utils.data import Dataset

from mcjepa_mm.registry import DATASETS, TRANSFORMS

from .crops import cut_flow, draw_corners
from .embedded_world import EmbeddedWorld, masked_scene

SPLITS = ('train', 'val', 'test')
# part of a world's seed, so that no two kinds of data share a scene
_PAIRS, _IMAGES, _CLIPS = 0, 1, 3


@DATASETS.register_module()
class EmbeddedPairs(Dataset):
    """Frame pairs of the embedded world, with ground truth.

    A sample holds ``inputs``, (2, 3, H, W) uint8, RGB, the frames at times 0
    and 1, and ``data_samples``, an mmengine BaseDataElement with mmflow's
    field names:

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
        with_gt (bool): Whether samples hold ground truth.
        crop_size (tuple[int, int], optional): Height and width of a window
            that is cut from each frame. Defaults to None: whole frames.
        max_offset (int): Pixels, in each direction, that the windows of a
            sample may be apart. Defaults to 0.
        pipeline (Sequence[dict | callable]): Transforms of the frames that
            move nothing, such as :class:`RandomCameraPair`. They get them as
            ``img``, two (H, W, 3) uint8, RGB.
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
        crop_size: tuple[int, int] | None = None,
        max_offset: int = 0,
        pipeline: Sequence = (),
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
        self.crop_size = tuple(crop_size or size)
        self.max_offset = max_offset
        self.pipeline = Compose([TRANSFORMS.build(t) for t in pipeline])
        self.world = EmbeddedWorld(
            size, seed=(seed, _PAIRS, split_number(split)), **world
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
        corners = [(0, 0)] * 2
        if size != self.world.size:
            corners = draw_corners(
                self.world.size, size, max_offset=self.max_offset
            )
        shown = [
            scene.frame(t)[top : top + size[0], left : left + size[1]]
            for t, (top, left) in enumerate(corners)
        ]
        frames = np.stack(self.pipeline(dict(img=shown))['img'])
        frames = np.ascontiguousarray(frames.transpose(0, 3, 1, 2))
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


@DATASETS.register_module()
class EmbeddedImages(Dataset):
    """Images of single objects of the embedded world, with classes.

    What enters the pipeline has the form that mmpretrain's transforms expect
    after loading: ``img`` ((H, W, 3) uint8, BGR), ``img_shape``,
    ``ori_shape``, ``gt_label`` (from 0, every class equally often) and
    ``sample_idx``.

    Args:
        length (int): Number of pictures.
        pipeline (Sequence[dict | callable]): Transforms.
        split (str): 'train', 'val' or 'test'; splits share no picture.
        seed (int): Seed of the world.
        size (tuple[int, int]): Height and width in pixels.
        cache (bool): Keep the pictures that were drawn, 3 * H * W bytes each,
            in each dataloader worker: later epochs cost no drawing.
        **world: Further arguments of
            :class:`~mcjepa_mm.datasets.embedded_world.EmbeddedWorld`.

    Raises:
        ValueError: For an unknown split, or as EmbeddedWorld does.
    """

    def __init__(
        self,
        length: int,
        *,
        pipeline: Sequence = (),
        split: str = 'train',
        seed: int = 0,
        size: tuple[int, int] = (96, 96),
        cache: bool = False,
        **world,
    ) -> None:
        self.length = length
        self._drawn: dict[int, np.ndarray] | None = {} if cache else None
        self.world = EmbeddedWorld(
            size, seed=(seed, _IMAGES, split_number(split)), **world
        )
        self.pipeline = Compose([TRANSFORMS.build(t) for t in pipeline])
        self.metainfo = dict(
            dataset_type='embedded_world',
            task_name='content',
            classes=self.world.classes,
        )

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        if not 0 <= index < self.length:
            raise IndexError(f'no picture {index} among {self.length}')
        label = index % self.world.num_classes
        return self.pipeline(
            dict(
                img=self._draw(index, label),
                img_shape=self.world.size,
                ori_shape=self.world.size,
                gt_label=label,
                sample_idx=index,
            )
        )

    def _draw(self, index: int, label: int) -> np.ndarray:
        """Render the image, (H, W, 3) uint8, BGR."""
        if self._drawn is not None and index in self._drawn:
            return self._drawn[index].copy()
        image = self.world.object_image(index, label).frame(0)
        image = np.ascontiguousarray(image[..., ::-1])
        if self._drawn is not None:
            self._drawn[index] = image.copy()
        return image


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
            size, seed=(seed, _CLIPS, split_number(split)), **world
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
