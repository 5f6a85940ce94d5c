"""Checkpoints of mmengine in the form that this package writes."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from mcjepa_mm.utils.checkpoint import write_new
from mcjepa_mm.utils.safe_load import load_error, safe_load
from mcjepa_mm.utils.serializable import to_serializable


def plain_checkpoint(
    checkpoint: str | os.PathLike, out: str | os.PathLike
) -> None:
    """Write a checkpoint anew, so that it loads with ``weights_only=True``.

    For a run that mmengine wrote without this package: it holds objects, such
    as the history of each logged value, which torch >= 2.6 refuses. Histories,
    mmengine's configs, numbers and arrays of numpy are kept; other objects are
    left out, with a warning that names them, and nothing of them is run.

    Args:
        checkpoint (str | PathLike): The old file.
        out (str | PathLike): The new one, ``.pth``.

    Raises:
        FileExistsError: If ``out`` is there.
        ValueError: If ``checkpoint`` cannot be read.
    """
    try:
        names = get_unsafe_globals_in_checkpoint(checkpoint)
    # what is raised depends on what kind of file it is
    except Exception as error:
        raise load_error(checkpoint, error) from error
    allowed = {name: _unknown(name) for name in names} | _ALLOWED
    with safe_globals([(x, name) for name, x in allowed.items()]):
        content = safe_load(checkpoint)
    buffer = io.BytesIO()
    torch.save(to_serializable(content, 'checkpoint'), buffer)
    write_new(Path(out), buffer.getvalue())


class _History(HistoryBuffer):
    def __setstate__(self, state: dict) -> None:
        # without the functions that the state names too
        keys = ('_log_history', '_count_history', 'max_length')
        super().__init__(*(state[key] for key in keys))


def _unknown(name: str) -> type:
    """A class of this name that drops what it is called with and set to."""
    drop = dict(
        __new__=lambda cls, *args: object.__new__(cls),
        __setstate__=lambda self, state: None,
    )
    return type(name, (), drop)


_ALLOWED: dict[str, Any] = {
    'mmengine.logging.history_buffer.HistoryBuffer': _History,
    'mmengine.config.config.ConfigDict': dict,
    'numpy.dtype': np.dtype,
    'numpy.ndarray': np.ndarray,
}
for _type in map(type, map(np.dtype, '?bhilqBHILQefdU')):
    _ALLOWED[f'numpy.dtypes.{_type.__name__}'] = _type
for _value in (np.float64(0), np.zeros(0)):
    _function: Any = _value.__reduce__()[0]
    for _core in ('numpy.core', 'numpy._core'):  # numpy 2 moved them
        _ALLOWED[f'{_core}.multiarray.{_function.__name__}'] = _function
