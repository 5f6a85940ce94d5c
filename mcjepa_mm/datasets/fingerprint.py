"""A short text that tells whether two machines have the same data."""

import os
import zlib

from torch.utils.data import Dataset

from .bad_samples import BadSampleGuard
from .seeded import SeededDataset

_MOST = 1000  # samples that are looked at, spread over the data set


def fingerprint(dataset: Dataset) -> str:
    """Tell the number of samples, and a checksum of their files.

    The checksum is of the names and sizes of the files of at most 1000
    samples; none is read.

    Args:
        dataset (Dataset): With a length.

    Returns:
        str: Without a checksum, if the data set names no files.
    """
    while isinstance(dataset, SeededDataset | BadSampleGuard):
        dataset = dataset.dataset
    number = len(dataset)  # type: ignore[arg-type]
    text = f'{number:,} samples'
    if not hasattr(dataset, 'get_data_info'):
        return text
    sizes: dict[str, int] = {}
    checksum = 0
    for index in range(0, number, max(1, number // _MOST)):
        info = dataset.get_data_info(index)
        paths = info.get('img_path', ())
        for path in [paths] if isinstance(paths, str) else paths:
            if path not in sizes:
                there = os.path.exists(path)
                sizes[path] = os.path.getsize(path) if there else -1
            checksum = zlib.crc32(f'{path} {sizes[path]}'.encode(), checksum)
    return f'{text}, checksum {checksum:08x} of their files'
