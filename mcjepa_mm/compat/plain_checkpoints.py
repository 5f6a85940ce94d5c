"""Checkpoints of tensors, numbers and strings only, written whole.

When it applies
    mmengine's ``MessageHub`` saves its log scalars as ``HistoryBuffer``
    objects, and such a checkpoint cannot be resumed. Its ``save_checkpoint``
    writes into the file: a full disk or a kill leaves half of the newest one.
Why
    torch >= 2.6 loads with ``weights_only=True``, which rebuilds no objects.
    mmengine 0.10.7 resumes with ``torch.load``'s default, and so refuses its
    own checkpoints: ``message_hub`` holds ``HistoryBuffer`` (whose pickle
    needs ``builtins.getattr``, so an allow-list would be unsafe), the one
    cycle scheduler's state holds a function, and ``dataset_meta`` whatever
    the data set put there.
When it can go
    When mmengine writes checkpoints that load with ``weights_only=True``, and
    puts them in place when they are whole.

Local files are written by :func:`mcjepa_mm.utils.atomic_write.atomic_open`,
without a second copy in memory. mmengine's other storages (``s3://`` and the
like, or ``backend_args`` that name one) get the same content by mmengine's
own way.

A checkpoint from here resumes in an mmengine without this mend too, less the
smoothed log values.
"""

import logging
import os
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import isroutine
from types import ModuleType
from typing import Any

import numpy as np
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.logging import HistoryBuffer, MessageHub, print_log

from mcjepa_mm.utils.atomic_write import atomic_open
from mcjepa_mm.utils.import_hook import on_import

_BUFFER_KEYS = {'log_history', 'count_history', 'max_length'}

_upstream_state_dict = MessageHub.state_dict
_applied = False

# Names already warned of: once per process, not once per checkpoint.
_dropped = set()


def needed() -> bool:
    """Whether mmengine's own ``MessageHub`` saves objects."""
    hub = MessageHub(
        'probe', log_scalars={'x': HistoryBuffer()}, resumed_keys={'x': True}
    )
    saved = _upstream_state_dict(hub)['log_scalars']['x']
    return isinstance(saved, HistoryBuffer)


def apply() -> None:
    """Wrap what mmengine saves, and unwrap what it loads."""
    global _applied
    if _applied or not needed():
        return
    _applied = True
    MessageHub.state_dict = _plain_state_dict(MessageHub.state_dict)
    MessageHub.load_state_dict = _rebuilding_load(MessageHub.load_state_dict)
    on_import('mmengine.runner.checkpoint', after=_mend_saving)


def applied() -> bool:
    """Whether ``MessageHub`` saves plain values."""
    return _applied


def to_plain(value: Any, name: str) -> Any:
    """Rewrite a value in tensors, numbers, strings and containers of them.

    numpy numbers become Python numbers, numpy arrays tensors, mappings dicts
    and other sequences lists or tuples. A function in a dict is left out: it
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
    import torch

    if value is None or isinstance(value, torch.Tensor):
        return value
    if isinstance(value, np.generic):
        return to_plain(value.item(), name)
    if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf':
        return torch.tensor(value)
    # Subclasses (an IntEnum, a str of some library) pickle as objects.
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return _plain_mapping(value, name)
    if isinstance(value, (list, tuple)):
        kind = tuple if isinstance(value, tuple) else list
        return kind(to_plain(v, f'{name}[{i}]') for i, v in enumerate(value))
    raise TypeError(
        f'{name} is a {type(value).__name__}; expected tensors, numbers, '
        'strings or lists, tuples and dicts of them.'
    )


def _plain_mapping(mapping: Mapping, name: str) -> dict:
    # Two dict types that weights_only loads, and that behave unlike a dict.
    kind = type(mapping) if type(mapping) in (OrderedDict, Counter) else dict
    plain = kind()
    for key, value in mapping.items():
        path = f'{name}.{key}'
        if isroutine(value):
            continue
        try:
            plain[to_plain(key, f'key {path}')] = to_plain(value, path)
        except TypeError as error:
            _warn_dropped(path, error)
    # what torch adds to a model's state: the versions of its modules
    if kind is OrderedDict and hasattr(mapping, '_metadata'):
        plain._metadata = to_plain(mapping._metadata, f'{name}._metadata')
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


def _plain_state_dict(upstream: Callable) -> Callable:
    @wraps(upstream)
    def state_dict(self) -> dict:
        state = upstream(self)
        info = to_plain(state['runtime_info'], 'message_hub')
        left_out = set(state['runtime_info']) - set(info)
        return dict(
            log_scalars={
                key: pack(buffer)
                for key, buffer in state['log_scalars'].items()
            },
            runtime_info=info,
            resumed_keys={
                key: resumed
                for key, resumed in state['resumed_keys'].items()
                if key not in left_out
            },
        )

    return state_dict


def _rebuilding_load(upstream: Callable) -> Callable:
    @wraps(upstream)
    def load_state_dict(self, state_dict) -> None:
        if isinstance(state_dict, dict) and 'log_scalars' in state_dict:
            scalars = state_dict['log_scalars'].items()
            scalars = {key: _unpack(value) for key, value in scalars}
            state_dict = {**state_dict, 'log_scalars': scalars}
        upstream(self, state_dict)

    return load_state_dict


def pack(buffer: HistoryBuffer) -> dict:
    """Write a history as tensors and a number, which a load makes one of."""
    import torch

    log_history, count_history = buffer.data
    return dict(
        log_history=torch.tensor(log_history),
        count_history=torch.tensor(count_history),
        max_length=int(buffer.max_length),
    )


def _unpack(value: Any) -> Any:
    if not isinstance(value, dict) or set(value) != _BUFFER_KEYS:
        return value  # for upstream to judge
    return HistoryBuffer(
        value['log_history'].cpu().numpy(),
        value['count_history'].cpu().numpy(),
        value['max_length'],
    )


def _mend_saving(checkpoint_module: ModuleType) -> None:
    save_checkpoint = _plain_save(checkpoint_module.save_checkpoint)
    checkpoint_module.save_checkpoint = save_checkpoint
    # those that have taken the name along already
    for name in ('mmengine.runner', 'mmengine.runner.runner'):
        if name in sys.modules:
            sys.modules[name].save_checkpoint = save_checkpoint


def _plain_save(upstream: Callable) -> Callable:
    @wraps(upstream)
    def save_checkpoint(
        checkpoint: dict,
        filename: str,
        file_client_args: dict | None = None,
        backend_args: dict | None = None,
    ) -> None:
        import torch

        plain = to_plain(checkpoint, 'checkpoint')
        if file_client_args or not _is_local(filename, backend_args):
            upstream(plain, filename, file_client_args, backend_args)
            return
        os.makedirs(os.path.dirname(filename) or '.', exist_ok=True)
        with atomic_open(filename) as file:
            torch.save(plain, file)

    return save_checkpoint


def _is_local(filename: str, backend_args: dict | None) -> bool:
    if '://' in filename:
        return False
    backend = get_file_backend(filename, backend_args=backend_args)
    return isinstance(backend, LocalBackend)
