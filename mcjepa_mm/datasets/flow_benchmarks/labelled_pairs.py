import os
from pathlib import Path

from mmengine.dataset import BaseDataset

from mcjepa_mm.datasets.archive import Archive


class LabelledPairs(Archive, BaseDataset):
    """Frame pairs in the folders of a benchmark, in a fixed order.

    Files belong together by the numbers in their names, not by their places
    in sorted lists: with one file missing, lists pair every later image with
    a neighbour's flow. A pair with a missing file stays in the list and fails
    when it is loaded, with the file's name.

    Every entry has ``img1_path``, ``img2_path`` and, where there is ground
    truth, ``flow_fw_path``; some data sets add more paths of mmflow's names.

    Args:
        data_root (str): Folder of the data set.
        **kwargs: Further arguments of mmengine's ``BaseDataset``. With
            ``ann_file`` the entries come from that file and no folder is
            looked at; ``test_mode=True`` lists the test split.

    Raises:
        FileNotFoundError: If a folder of the layout is missing.
        ValueError: If there is no pair in it.
    """

    def __init__(self, data_root: str, **kwargs) -> None:
        super().__init__(data_root=os.path.expanduser(data_root), **kwargs)

    def list_pairs(self) -> list[dict]:
        """The entries of the split, in order."""
        raise NotImplementedError

    def load_data_list(self) -> list[dict]:
        if self.ann_file:
            return super().load_data_list()
        pairs = self.list_pairs()
        if not pairs:
            split = 'test' if self.test_mode else 'training'
            raise ValueError(
                f'{self.data_root} holds no frame pair of the {split} split '
                f'of {type(self).__name__}. {self.EXPECTED}'
            )
        return [
            {k: str(v) if isinstance(v, Path) else v for k, v in pair.items()}
            for pair in pairs
        ]


def successor(number: str) -> str:
    """The next number, as wide: '0009' to '0010'."""
    return f'{int(number) + 1:0{len(number)}d}'


def check_pass_style(pass_style: str) -> str:
    """Refuse a rendering that is not 'clean' or 'final'."""
    if pass_style not in ('clean', 'final'):
        raise ValueError(
            f"pass_style must be 'clean' or 'final', got {pass_style!r}"
        )
    return pass_style
