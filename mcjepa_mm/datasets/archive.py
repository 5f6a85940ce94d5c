"""File listing for data sets in their archives' own layout."""

import os
import re
from pathlib import Path


class Archive:
    """Base of data sets that read an archive's own folders.

    Attributes:
        data_root (str): Folder of the data set.
    """

    #: Where the files are from and how they are laid out, for messages.
    EXPECTED = ''

    data_root: str

    def folder(self, *names: str) -> Path:
        """Path of a folder of the layout, which must exist."""
        path = Path(self.data_root, *names)
        if not path.is_dir():
            raise FileNotFoundError(
                f'{path} is no folder: {type(self).__name__} is not complete '
                f'in {self.data_root}. {self.EXPECTED}'
            )
        return path


def numbers(folder: Path, pattern: str) -> list[str]:
    """Numbers that a pattern's group matches in file names, sorted.

    Returns:
        list[str]: Each number once, written as in the names.
    """
    found = (re.fullmatch(pattern, name) for name in os.listdir(folder))
    return sorted({match[1] for match in found if match}, key=int)


def subfolders(folder: Path) -> list[str]:
    """Names of the subfolders of a folder, sorted."""
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith('.')
    )
