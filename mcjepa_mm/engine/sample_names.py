"""What the samples of a batch are called, for messages."""

from collections.abc import Sequence
from typing import Any

from mmengine.structures import BaseDataElement


def sample_names(batch: Any, task: str | None = None) -> list[str]:
    """Name the samples of a batch as well as their meta information allows.

    Args:
        batch (Any): What a dataloader gave: a dict with ``data_samples`` (or
            ``inputs`` alone), a list of such samples, or ``{task: batch}``.
        task (str, optional): The one task that is asked for; without it, or
            if the batch has no such task, all of the batch.

    Returns:
        list[str]: Of each sample its files and numbers, such as
        'clip.mp4 (sample_idx 4, frame_indices [3, 5])', or 'sample 3' for
        the fourth of a batch about which nothing is known.
    """
    if isinstance(batch, dict) and task in batch:
        batch = batch[task]
    if isinstance(batch, dict):
        samples = batch.get('data_samples')
        if samples is not None:
            return [_name(i, sample) for i, sample in enumerate(samples)]
        if 'inputs' in batch:
            return [f'sample {i}' for i in range(len(batch['inputs']))]
        return [
            f'{name}: {sample}'
            for name, part in batch.items()
            for sample in sample_names(part)
        ]
    if isinstance(batch, Sequence) and all(isinstance(x, dict) for x in batch):
        return [_name(i, x.get('data_samples')) for i, x in enumerate(batch)]
    return []


def shorten(names: Sequence[str], limit: int = 8) -> str:
    """A list of names as a line of words, the end cut off if it is long."""
    words = ', '.join(names[:limit])
    return words + (
        f' and {len(names) - limit} more' if len(names) > limit else ''
    )


def _name(position: int, sample: Any) -> str:
    info = sample.metainfo if isinstance(sample, BaseDataElement) else {}
    files = []
    # a data element keeps its keys in a set: without sorting, the order of
    # the files would change from one process to the next
    for key in sorted(key for key in info if key.endswith('path')):
        value = info[key]
        files += [value] if isinstance(value, str) else list(value or ())
    numbers = [
        f'{key} {info[key]}'
        for key in ('sample_idx', 'img_id', 'frame_indices')
        if key in info
    ]
    # the two frames of a pair may be of one video
    words = ' and '.join(dict.fromkeys(map(str, files)))
    if words and numbers:
        return f'{words} ({", ".join(numbers)})'
    return words or ', '.join(numbers) or f'sample {position}'
