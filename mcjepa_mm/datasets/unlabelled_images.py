"""Images from any folder, without labels."""

import os
from collections.abc import Sequence

from mmengine.dataset import BaseDataset

from mcjepa_mm.datasets.clips import IMAGE_SUFFIXES, find_images
from mcjepa_mm.datasets.packed_folder import (
    PackedImages,
    is_packed,
    open_packed,
)
from mcjepa_mm.registry import DATASETS, TRANSFORMS


@DATASETS.register_module()
class UnlabelledImages(BaseDataset):
    """Every image below a folder, at any depth.

    The folder is searched as :class:`FramePairs` searches its own: names that
    begin with a dot are left out, links are followed, but not to a folder
    above, and folders that may not be read are named in a warning. Files of
    other kinds are named in the log. Of a packed folder nothing is listed.

    A pipeline's transforms get ``img_path`` and ``sample_idx``; it ends with
    PackViews.

    Args:
        data_root (str): Folder with images.
        pipeline (Sequence[dict | callable]): Transforms of an image.

    Raises:
        FileNotFoundError: If ``data_root`` is missing.
        ValueError: If there is no image below it.
    """

    METAINFO = dict(dataset_type='unlabelled_images', task_name='content')

    def __init__(self, data_root: str, pipeline: Sequence = ()) -> None:
        data_root = os.path.expanduser(data_root)
        super().__init__(
            data_root=data_root,
            pipeline=[TRANSFORMS.build(t) for t in pipeline],
            serialize_data=not is_packed(data_root),
        )

    def load_data_list(self) -> Sequence[dict]:
        """The images' paths, in natural order within each folder."""
        if not os.path.isdir(self.data_root):
            raise FileNotFoundError(
                f'{self.data_root!r} is no folder. {self._expected()}'
            )
        images: Sequence[dict]
        if is_packed(self.data_root):
            images = PackedImages(open_packed(self.data_root))
        else:
            paths = find_images(self.data_root, recursive=True)
            images = [dict(img_path=path) for path in paths]
        if not images:
            raise ValueError(
                f'{self.data_root!r} holds no image. {self._expected()}'
            )
        return images

    @staticmethod
    def _expected() -> str:
        return (
            f'Expected a folder with images ({IMAGE_SUFFIXES}), at any '
            'depth. Set `data_root` to it.'
        )
