"""Images that have nothing to do with each other: files and folders."""

import os
from collections.abc import Sequence
from pathlib import Path

from mcjepa_mm.datasets.clips import IMAGE_SUFFIXES, images_in


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
            paths += _in_folder(path)
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


def _in_folder(folder: str) -> list[str]:
    names = images_in(folder)
    if not names:
        raise ValueError(
            f'the folder {folder} holds no images ({IMAGE_SUFFIXES}); '
            'folders inside are not searched'
        )
    return [os.path.join(folder, name) for name in names]
