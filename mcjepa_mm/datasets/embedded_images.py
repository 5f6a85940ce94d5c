"""Embedded world images for self-supervised content learning."""

from collections.abc import Sequence

import numpy as np
from mmengine.dataset import Compose
from torch.utils.data import Dataset

from mcjepa_mm.datasets.embedded_pairs import split_number
from mcjepa_mm.datasets.embedded_world import EmbeddedWorld
from mcjepa_mm.registry import DATASETS, TRANSFORMS

_KIND = 1  # keeps the scenes apart from those of EmbeddedPairs


@DATASETS.register_module()
class EmbeddedImages(Dataset):
    """Pictures of one object of the embedded world each, with its class.

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
            size, seed=(seed, _KIND, split_number(split)), **world
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
        """The picture, (H, W, 3) uint8, BGR."""
        if self._drawn is not None and index in self._drawn:
            return self._drawn[index].copy()
        image = self.world.object_image(index, label).frame(0)
        image = np.ascontiguousarray(image[..., ::-1])
        if self._drawn is not None:
            self._drawn[index] = image.copy()
        return image
