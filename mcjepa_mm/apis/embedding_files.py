"""Embed images and videos into files."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import track

from mcjepa_mm.datasets.clips import (
    IMAGE_SUFFIXES,
    find_images,
    is_still,
    printable,
)
from mcjepa_mm.utils.atomic_write import atomic_write
from mcjepa_mm.utils.image_file import write_image

from .embedder import Embedder, Picture
from .flow_inputs import open_stream
from .neighbour_sheet import draw_neighbours

_SHEETS = ('.png', '.jpg')


class Embeddings(NamedTuple):
    """Vectors or maps with the names of their images.

    Attributes:
        names (list[str]): Of a folder the path below it, of a video
            ``VIDEO/000000`` and so on, else the file's.
        values (np.ndarray): (N, C), or (N, C, H, W) of maps, float32.
    """

    names: list[str]
    values: np.ndarray


def embed(
    weights: str | os.PathLike,
    inputs: str | os.PathLike,
    to: str | os.PathLike | None = None,
    *,
    maps: bool = False,
    sheet: str | os.PathLike | None = None,
    show_progress: bool = False,
    **options,
) -> Embeddings:
    """Embed an image, a folder of images or a video, and write a file.

    A file that exists is replaced. All is held in memory; maps of the fine
    levels are larger than the images.

    Args:
        weights (str | PathLike): See :class:`Embedder`.
        inputs (str | PathLike): An image; a folder, of which all images at
            any depth are taken, in natural order; or a video, of which every
            frame is taken.
        to (str | PathLike, optional): File to write; its folder is made.
            ``.npy`` holds the array, and ``NAME.names.json`` beside it the
            names; ``.csv`` has a row for each image, its name and the
            vector; ``.parquet`` the columns ``name`` and ``vector``.
            Defaults to None: none.
        maps (bool): Whether to take the maps themselves, of images of one
            size. Defaults to False: their spatial means.
        sheet (str | PathLike, optional): Picture to write, '.png' or '.jpg':
            images of the folder, each with its nearest neighbours.
        show_progress (bool): Whether to draw a progress bar.
        **options: See :class:`Embedder`.

    Raises:
        BadSampleError: If an image is damaged; nothing is written.
        FileNotFoundError: If there is no such checkpoint or input.
        ImportError: If the format takes pyarrow, which is not installed.
        OSError: If a file cannot be written.
        ValueError: If the format is not known or holds no maps, there are no
            images, maps differ in size, a sheet is wanted of anything but two
            images or more, or as :class:`Embedder`.

    Example::

        names, vectors = embed('epoch_8.pth', 'photos', 'photos.npy')
    """
    files = {} if to is None else _files(Path(to), maps)
    if sheet is not None and Path(sheet).suffix.lower() not in _SHEETS:
        raise ValueError(
            f'a sheet is a picture, {" or ".join(_SHEETS)}, got {sheet}'
        )
    pictures, total, paths = _open(inputs)
    if sheet is not None and len(paths) < 2:
        raise ValueError(
            f'a sheet is of a folder of at least two images, got {inputs}'
        )
    embedder = Embedder(weights, **options)
    names, values = [], []
    for name, picture in track(
        pictures, 'Images', total=total, disable=not show_progress
    ):
        names.append(name)
        values.append(embedder.maps(picture) if maps else embedder(picture))
        if values[-1].shape != values[0].shape:
            raise ValueError(
                f'maps of one size fit into an array, but {names[0]} has '
                f'{values[0].shape} and {name} {values[-1].shape}: crop the '
                'images to one aspect and give a size, or take vectors'
            )
    found = Embeddings(names, np.stack(values))
    for path, encode in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, encode(found))
    if sheet is not None:
        vectors = found.values.mean((2, 3)) if maps else found.values
        write_image(sheet, draw_neighbours(paths, vectors))
    return found


def _open(
    inputs: str | os.PathLike,
) -> tuple[Iterable[tuple[str, Picture]], int | None, dict[str, str]]:
    """Pictures with names, how many, and the files of those that are files."""
    path = os.path.expanduser(os.fspath(inputs))
    name = printable(os.path.basename(path))
    if os.path.isdir(path):
        found = find_images(path, recursive=True)
        if not found:
            raise ValueError(
                f'{path} holds no images ({IMAGE_SUFFIXES}), with all '
                'folders below'
            )
        files = {printable(os.path.relpath(x, path)): x for x in found}
    elif not os.path.exists(path):
        raise FileNotFoundError(f'there is no image, folder or video {path!r}')
    elif is_still(path):
        files = {name: path}
    else:
        stream = open_stream(path)
        frames = (
            (f'{name}/{x.name}', x.image[..., ::-1]) for x in stream.frames
        )
        return frames, None, {}
    return files.items(), len(files), files


def _files(to: Path, maps: bool) -> dict[Path, Callable[[Embeddings], bytes]]:
    """Files to write, each with what makes its content."""
    suffix = to.suffix.lower()
    if suffix not in _FORMATS:
        raise ValueError(
            f'{to}: expected a file that ends in {" or ".join(_FORMATS)}, got '
            f'{suffix!r}'
        )
    if maps and suffix != '.npy':
        raise ValueError(f'maps go into .npy files alone, got {to}')
    if suffix == '.parquet':
        _import_pyarrow()
    beside = (
        {to.with_suffix('.names.json'): _names} if suffix == '.npy' else {}
    )
    return {**beside, to: _FORMATS[suffix]}


def _names(found: Embeddings) -> bytes:
    return json.dumps(found.names, indent=0).encode()


def _to_npy(found: Embeddings) -> bytes:
    content = io.BytesIO()
    np.save(content, found.values)
    return content.getvalue()


def _to_csv(found: Embeddings) -> bytes:
    content = io.StringIO()
    writer = csv.writer(content, lineterminator='\n')
    writer.writerow(['name', *range(found.values.shape[1])])
    for name, vector in zip(*found):
        # as many digits as tell a float32 from the next
        writer.writerow([name, *map(str, vector)])
    return content.getvalue().encode()


def _to_parquet(found: Embeddings) -> bytes:
    arrow, parquet = _import_pyarrow()
    vectors = arrow.FixedSizeListArray.from_arrays(
        arrow.array(found.values.ravel()), found.values.shape[1]
    )
    table = arrow.table(dict(name=found.names, vector=vectors))
    content = io.BytesIO()
    parquet.write_table(table, content)
    return content.getvalue()


def _import_pyarrow() -> Sequence:
    try:
        return import_module('pyarrow'), import_module('pyarrow.parquet')
    except ModuleNotFoundError as error:
        raise ImportError(
            '.parquet files need the package pyarrow: pip install pyarrow'
        ) from error


_FORMATS = {'.npy': _to_npy, '.csv': _to_csv, '.parquet': _to_parquet}
