from pathlib import Path

from mcjepa_mm.datasets.archive import numbers
from mcjepa_mm.registry import DATASETS

from .labelled_pairs import LabelledPairs


@DATASETS.register_module()
class FlyingChairs(LabelledPairs):
    """FlyingChairs: pairs of one folder, split by a list.

    mmflow's takes the n-th pair that it finds for the n-th line of the list.
    A missing pair moves all later ones, some of them into the other split.

    Args:
        data_root (str): Folder that holds ``data``.
        split_file (str, optional): List with 1 (training) or 2 (validation)
            in a line for each pair. Defaults to ``FlyingChairs_train_val.txt``
            in ``data_root``.
        **kwargs: See :class:`LabelledPairs`; ``test_mode=True`` lists the
            validation split, which has flow.
    """

    EXPECTED = (
        'Unpack FlyingChairs.zip, put FlyingChairs_train_val.txt beside its '
        'folder `data` (both from https://lmb.informatik.uni-freiburg.de/'
        'resources/datasets/FlyingChairs.en.html), and set `data_root` to '
        'where they are.'
    )

    def __init__(
        self, data_root: str, *, split_file: str | None = None, **kwargs
    ) -> None:
        self.split_file = split_file
        super().__init__(data_root, **kwargs)

    def list_pairs(self) -> list[dict]:
        folder = self.folder('data')
        path = Path(self.split_file or 'FlyingChairs_train_val.txt')
        if not self.split_file:
            path = Path(self.data_root, path)
        if not path.is_file():
            raise FileNotFoundError(f'{path} is no file. {self.EXPECTED}')
        codes = path.read_text().split()
        found = numbers(folder, r'(\d+)_(?:img1\.ppm|img2\.ppm|flow\.flo)')
        if found and not 1 <= int(found[-1]) <= len(codes):
            raise ValueError(
                f'{path} has {len(codes)} lines, too few for pair {found[-1]} '
                f'in {folder}. {self.EXPECTED}'
            )
        if set(codes) - {'1', '2'}:
            raise ValueError(
                f'{path} must hold 1 or 2 in every line, got '
                f'{sorted(set(codes) - {"1", "2"})[:5]}. {self.EXPECTED}'
            )
        wanted = '2' if self.test_mode else '1'
        return [
            dict(
                img1_path=folder / f'{number}_img1.ppm',
                img2_path=folder / f'{number}_img2.ppm',
                flow_fw_path=folder / f'{number}_flow.flo',
            )
            for number in found
            if codes[int(number) - 1] == wanted
        ]
