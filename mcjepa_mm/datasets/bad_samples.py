"""Error handling for unreadable samples."""

import math
import os
import re
import traceback
import weakref
from collections.abc import Iterator
from typing import Any

import cv2
import torch
from PIL import Image
from torch.utils.data import Dataset

from mcjepa_mm.registry import DATASETS
from mcjepa_mm.utils.random_state import seed_sample

from .clips import listing, printable, warn
from .seeded import SeededIndex, refuse_iterable

_SHOWN = 20  # file names in one message


class BadSampleError(ValueError):
    """A file does not hold the data that it should.

    Args:
        message (str): What is wrong, with the file's name.
        filename (str): The file.
    """

    def __init__(self, message: str, filename: str = '') -> None:
        # as a name that is no UTF-8 would break the log's file
        super().__init__(printable(message))
        self.filename = filename


class TooManyBadSamplesError(RuntimeError):
    """More samples are bad than the limit allows."""


def check_regular(path: str) -> None:
    """Refuse a path that is not a regular file; reading a pipe blocks.

    Raises:
        BadSampleError: If it is a folder, a pipe, a socket or a device.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise BadSampleError(
            f'{printable(path)} is no file, but a folder, a pipe, a socket or '
            'a device; expected a file',
            path,
        )


def check_size(
    path: str,
    shape: tuple[int, int],
    frame: str,
    expected: tuple[int, int],
    rule: str,
) -> None:
    """Refuse an image whose size is not its frame's.

    Raises:
        BadSampleError: If the sizes differ.
    """
    if tuple(shape) != tuple(expected[:2]):
        raise BadSampleError(
            f'{path} is {shape[0]} x {shape[1]} pixels (height x width), but '
            f'{frame} is {expected[0]} x {expected[1]}; {rule}',
            path,
        )


@DATASETS.register_module()
class BadSampleGuard(Dataset):
    """Replace unreadable samples, up to a limit, and record them.

    A bad sample is recorded, its file is named in a warning, once, and
    another sample takes its place, always the same one. Above the limit the
    run stops. Only errors of data are caught: :class:`BadSampleError`,
    ``OSError``, ``cv2.error``, what Pillow's decoders raise and mmcv's
    assertion that an image could not be decoded. Everything else is a bug
    and passes through.

    OpenCV decodes a damaged JPEG without an error, before version 5 also a
    truncated one, so an image data set's pipeline should begin with
    :class:`~mcjepa_mm.datasets.transforms.LoadImageStrict`.

    It is for training. A metric over other samples than it says would be
    wrong, so data for validation and tests are read without a guard: a bad
    file ends the run.

    The record is one byte per sample in shared memory: dataloader workers,
    forked or spawned, and the main process see the same one. In a distributed
    run every process has its own record, and its own limit.

    Args:
        dataset (dict | Dataset): Data set, or its config.
        max_bad (int | float): An int bounds the number of damaged files, a
            float the share of samples that they spoil. Defaults to 10.

    Raises:
        FileNotFoundError: If a folder or file of the data set is missing.
        TooManyBadSamplesError: Above the limit.
        TypeError: If the data set is iterable.
        ValueError: If ``max_bad`` is negative or the data set is empty.
    """

    #: Guards that live in this process, for the summary after training.
    alive: 'weakref.WeakSet[BadSampleGuard]' = weakref.WeakSet()

    def __init__(
        self, dataset: dict | Dataset, max_bad: int | float = 10
    ) -> None:
        if max_bad < 0 or (isinstance(max_bad, float) and max_bad >= 1):
            raise ValueError(
                'max_bad must be a number of files (int, at least 0) or a '
                f'share of the samples (float, 0 to below 1), got {max_bad}.'
            )
        if isinstance(dataset, dict):
            dataset = _build(dataset)
        refuse_iterable(dataset)
        self.dataset = dataset
        self.max_bad = max_bad
        self.full_init()
        if len(self) == 0:
            raise ValueError(
                f'{self.name} has no sample. Check its folder and what it '
                'expects there.'
            )
        # 0 = not known to be bad, n = bad because of its n-th file. Workers
        # write different bytes, or the same value twice: no lock is needed.
        self._record = torch.zeros(len(self), dtype=torch.uint8)
        self._record.share_memory_()
        # Samples that follow each other share a video or a disk block; a
        # replacement from elsewhere does not fail for the same reason.
        self._stride = max(1, round(0.618 * len(self)))
        while math.gcd(self._stride, len(self)) > 1:
            self._stride += 1
        self._check_limit()
        BadSampleGuard.alive.add(self)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f'{self.name}: no sample {index} of {len(self)}')
        for candidate in self._candidates(index):
            if self._record[candidate]:
                continue
            if isinstance(index, SeededIndex):
                # whatever a failed candidate has drawn
                seed_sample(index.seed)
            try:
                return self.dataset[candidate]
            except Exception as error:
                if not _is_data_error(error):
                    raise
                self._add(candidate, error)
        raise TooManyBadSamplesError(
            f'no sample of {self.name} can be read: '
            f'{listing(self.bad_files(), _SHOWN)}'
        )

    @property
    def name(self) -> str:
        """The data set's class and folder, for messages."""
        root = getattr(self.dataset, 'data_root', '')
        prefix = getattr(self.dataset, 'img_prefix', '')
        # one folder may serve two data sets: the log tells them apart by this
        gap = getattr(self.dataset, 'frame_gap', 1)
        return (
            f'{type(self.dataset).__name__}({prefix or root}'
            + f', frame_gap={gap}' * (gap != 1)
            + ')'
        )

    @property
    def metainfo(self) -> dict:
        """Meta information of the wrapped data set."""
        return getattr(self.dataset, 'metainfo', {})

    def full_init(self) -> None:
        """Load the annotations of a lazily initialised data set."""
        if hasattr(self.dataset, 'full_init'):
            self.dataset.full_init()

    def get_data_info(self, index: int) -> dict:
        """Return the wrapped data set's annotation of a sample."""
        return self.dataset.get_data_info(index)

    def num_bad(self) -> int:
        """Number of samples found bad so far, by any worker."""
        return int(self._record.count_nonzero())

    def bad_samples(self) -> list[int]:
        """Indices of the samples found bad so far, by any worker."""
        return self._record.nonzero().flatten().tolist()

    def bad_files(self) -> list[str]:
        """The files behind the bad samples, each once.

        Files that the data set itself could not open come first.
        """
        names = list(getattr(self.dataset, 'broken_files', ()))
        names += (
            self._files(index)[int(self._record[index]) - 1]
            for index in self.bad_samples()
        )
        return list(dict.fromkeys(names))

    def _candidates(self, index: int) -> Iterator[int]:
        for _ in range(len(self)):
            yield index
            index = (index + self._stride) % len(self)

    def _files(self, index: int) -> list[str]:
        if not hasattr(self.dataset, 'get_data_info'):
            return [f'sample {index}']
        info = self.get_data_info(index)
        paths = info.get('img_path', ())
        files = [paths] if isinstance(paths, str) else list(paths)
        # mmflow's frames, flow and masks, mmseg's maps of labels
        files += [
            path
            for key, path in info.items()
            if key.endswith('_path') and key != 'img_path' and path
        ]
        return files or [f'sample {index}']

    def _add(self, index: int, error: Exception) -> None:
        files = self._files(index)
        bad_file = getattr(error, 'filename', None)
        if bad_file in files:
            position = files.index(bad_file)
        else:
            position = _first_unreadable(files)
        if files[position] not in self.bad_files():
            warn(
                f'Bad sample replaced: {printable(files[position])}: '
                f'{type(error).__name__}: {error}'
            )
        self._record[index] = position + 1
        self._check_limit()

    def _check_limit(self) -> None:
        files = self.bad_files()
        if isinstance(self.max_bad, int):
            exceeded = len(files) > self.max_bad
        else:
            broken = len(getattr(self.dataset, 'broken_files', ()))
            bad = len(self.bad_samples()) + broken
            exceeded = bad > self.max_bad * (len(self) + broken)
        if exceeded:
            raise TooManyBadSamplesError(
                f'{self.name}: {len(files)} files cannot be read, which '
                f'spoils {len(self.bad_samples())} of {len(self)} samples; '
                f'max_bad={self.max_bad} allows less. Repair or remove them, '
                f'or raise max_bad: {listing(files, _SHOWN)}'
            )


def _build(config: dict) -> Dataset:
    try:
        return DATASETS.build(config)
    except FileNotFoundError as error:
        if error.filename is None:  # not the system's: it says what to do
            raise
        raise FileNotFoundError(
            f'{config.get("type")}: {error.filename} does not exist. '
            'Expected the folder with the data (`data_root`, `data_prefix`) '
            'or the list of its files (`ann_file`); correct the path in the '
            'config.'
        ) from error


def _is_data_error(error: Exception) -> bool:
    """Whether an error is due to damaged data and not to a bug."""
    if isinstance(error, AssertionError):
        # mmcv's LoadImageFromFile, when OpenCV returns no image.
        return str(error).startswith('failed to load image')
    if isinstance(error, (BadSampleError, OSError, cv2.error)):
        return True
    if isinstance(error, Image.DecompressionBombError):
        return True
    # Pillow's decoders raise whatever damaged bytes make of them, and
    # mmseg's LoadAnnotations, for one, hands it on.
    raised_in = [
        frame.f_globals.get('__name__', '')
        for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    decoder = re.compile(r'PIL\.(\w+ImagePlugin|ImageFile)')
    return not isinstance(error, MemoryError) and any(
        decoder.fullmatch(name) for name in raised_in
    )


def _first_unreadable(files: list[str]) -> int:
    """Index of the first file that Pillow cannot read."""
    for position, path in enumerate(files):
        try:
            with Image.open(path) as image:
                image.load()
        # Pillow raises whatever damaged bytes make of it; the error of the
        # sample itself is being reported already
        except Exception:  # noqa: BLE001
            return position
    return 0
