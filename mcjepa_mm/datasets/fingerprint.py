"""A short text that tells whether two machines have the same data."""

import zlib

from torch.utils.data import Dataset

from .bad_samples import BadSampleGuard
from .packed_folder import file_size
from .seeded import SeededDataset

_MOST = 1000  # samples that are looked at, spread over the data set


def fingerprint(dataset: Dataset) -> str:
    """Tell the number of samples, and a checksum of their files.

    The checksum is of the names and sizes of the files of at most 1000
    samples, packed or not; none is read.

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
    files: list[str] = []
    for index in range(0, number, max(1, number // _MOST)):
        paths = dataset.get_data_info(index).get('img_path', ())
        files += [paths] if isinstance(paths, str) else paths
    if not files:
        return text
    sizes = {path: file_size(path) for path in dict.fromkeys(files)}
    checksum = zlib.crc32(repr([(x, sizes[x]) for x in files]).encode())
    return f'{text}, checksum {checksum:08x} of their files'
