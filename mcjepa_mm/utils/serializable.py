"""Convert values to types that ``torch.load(weights_only=True)`` reads."""

import logging
from collections import Counter, OrderedDict
from collections.abc import Mapping
from inspect import isroutine
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log

_HISTORY_KEYS = {'log_history', 'count_history', 'max_length'}

# Names already warned of: once per process, not once per checkpoint.
_dropped: set[str] = set()


def to_serializable(value: Any, name: str) -> Any:
    """Convert a value to tensors, numbers, strings and containers.

    numpy numbers become Python numbers, numpy arrays tensors, mappings dicts
    and other sequences lists or tuples; a ``HistoryBuffer`` becomes the dict
    that :func:`restore_history` reads. A function in a dict is left out: it
    is code, which a constructor puts back. Any other value in a dict that
    has no plain form is left out with one warning that names it.

    Args:
        value (Any): What is to be saved.
        name (str): What to call it in a warning.

    Returns:
        Any: The plain value.

    Raises:
        TypeError: If ``value`` itself, or an item of a list in it that no
            dict surrounds, has no plain form.
    """
    if value is None or isinstance(value, torch.Tensor):
        return value
    if isinstance(value, HistoryBuffer):
        log_history, count_history = value.data
        return dict(
            log_history=torch.tensor(log_history),
            count_history=torch.tensor(count_history),
            max_length=int(value.max_length),
        )
    if isinstance(value, np.generic):
        return to_serializable(value.item(), name)
    if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf':
        return torch.tensor(value)
    # Subclasses (an IntEnum, a str of some library) pickle as objects.
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return _serializable_mapping(value, name)
    if isinstance(value, (list, tuple)):
        items = [
            to_serializable(v, f'{name}[{i}]') for i, v in enumerate(value)
        ]
        return tuple(items) if isinstance(value, tuple) else items
    raise TypeError(
        f'{name} is a {type(value).__name__}; expected tensors, numbers, '
        'strings or lists, tuples and dicts of them.'
    )


def restore_history(value: Any) -> Any:
    """Restore a ``HistoryBuffer`` from :func:`to_serializable`.

    Args:
        value (Any): What a checkpoint holds for a logged value.

    Returns:
        Any: The buffer; ``value`` itself where it is something else.
    """
    if not isinstance(value, dict) or set(value) != _HISTORY_KEYS:
        return value
    return HistoryBuffer(
        value['log_history'].cpu().numpy(),
        value['count_history'].cpu().numpy(),
        value['max_length'],
    )


def _serializable_mapping(mapping: Mapping, name: str) -> dict:
    # Two dict types that weights_only loads, and that behave unlike a dict.
    kind: Any = dict
    if type(mapping) in (OrderedDict, Counter):
        kind = type(mapping)
    plain = kind()
    for key, value in mapping.items():
        path = f'{name}.{key}'
        if isroutine(value):
            continue
        try:
            plain[to_serializable(key, f'key {path}')] = to_serializable(
                value, path
            )
        except TypeError as error:
            _warn_dropped(path, error)
    # what torch adds to a model's state: the versions of its modules
    if kind is OrderedDict and hasattr(mapping, '_metadata'):
        plain._metadata = to_serializable(
            mapping._metadata, f'{name}._metadata'
        )
    return plain


def _warn_dropped(path: str, error: TypeError) -> None:
    if path not in _dropped:
        _dropped.add(path)
        print_log(
            f'Left out of the checkpoint: {error} A checkpoint holds no other '
            'objects, so that it loads with weights_only=True.',
            logger='current',
            level=logging.WARNING,
        )
