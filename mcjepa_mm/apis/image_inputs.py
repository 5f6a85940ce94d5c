"""List image files and folders of images."""

import os
from collections.abc import Sequence
from pathlib import Path

from mcjepa_mm.datasets.clips import IMAGE_SUFFIXES, find_images


def list_images(
    inputs: str | os.PathLike | Sequence[str | os.PathLike],
) -> dict[str, str]:
    """Images by the names that files about them get.

    Args:
        inputs (str | PathLike | Sequence): Image files, of whatever suffix,
            and folders, of which the images directly inside are taken in
            natural order (``f2.png`` before ``f10.png``).

    Returns:
        dict[str, str]: Path by name: the file's, without its suffix; with a
        number in front if two images had the same.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If a folder holds no images, or nothing is given.
    """
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    paths: list[str] = []
    for given in inputs:
        path = os.path.expanduser(os.fspath(given))
        if os.path.isdir(path):
            paths += images_of_folder(path, 1, 'folders inside do not count')
        elif os.path.exists(path):
            paths.append(path)
        else:
            raise FileNotFoundError(f'there is no image or folder {path!r}')
    if not paths:
        raise ValueError('expected at least one image or folder, got none')
    names = [Path(path).stem for path in paths]
    if len(set(names)) < len(names):
        names = [f'{i:06d}_{name}' for i, name in enumerate(names)]
    return dict(zip(names, paths))


def images_of_folder(folder: str, fewest: int, hint: str) -> list[str]:
    """The images directly in a folder, at least ``fewest``."""
    paths = find_images(folder, recursive=False)
    if len(paths) < fewest:
        raise ValueError(
            f'the folder {folder} holds {len(paths)} images '
            f'({IMAGE_SUFFIXES}), expected at least {fewest}; {hint}'
        )
    return paths
