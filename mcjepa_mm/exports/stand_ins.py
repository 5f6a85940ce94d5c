"""Reading a pickle without what it would run.

torch's own restricted reader (``weights_only=True``) calls only what it
knows. Whatever else a file names becomes a stand-in here, which takes the
arguments and the state that were meant for it, and does nothing with them.
"""

import os
import pickle
import re
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from mcjepa_mm.compat.plain_checkpoints import pack
from mcjepa_mm.utils.safe_load import explain_load_error, safe_load

_PLAIN_DTYPE = re.compile(r'[biuf]\d{1,2}')
_BLOCKED = ('os', 'posix', 'nt', 'sys')


class StandIn:
    """In the place of an object, a function or a class of a file.

    One subclass per name; the name is that of the subclass.

    Attributes:
        args (tuple): What the file calls it with.
        state (Any): What the file sets it to.
    """

    def __new__(cls, *args):
        made = object.__new__(cls)
        made.args, made.state = args, None
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state


def load_stand_ins(path: str | os.PathLike) -> Any:
    """Load a file of ``torch.save`` and run nothing of it.

    Args:
        path (str | PathLike): A file that exists.

    Returns:
        Any: What it holds; a :class:`StandIn` for each object that is no
        tensor, number, string or container.

    Raises:
        ValueError: If it holds no such object and so loads as it is; if it
            names the operating system, which no checkpoint needs; or if it
            cannot be read.
    """
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except (ValueError, RuntimeError, EOFError, pickle.PickleError) as error:
        raise ValueError(explain_load_error(path, error)) from error
    if not names:
        raise ValueError(
            f'{path} holds tensors, numbers, strings and containers only: it '
            'loads as it is'
        )
    # torch blocks these, whatever stands in their place
    if blocked := [x for x in names if x.partition('.')[0] in _BLOCKED]:
        raise ValueError(
            f'{path} is refused: it names {blocked[0]!r}, which no checkpoint '
            'needs'
        )
    known = [(_stand_in(name), name) for name in names]
    with torch.serialization.safe_globals(known):
        return safe_load(path)


def read_stand_ins(value: Any) -> Any:
    """Put values in the place of the stand-ins whose meaning is known.

    These are numbers and arrays of numpy, mmengine's ``ConfigDict`` and its
    ``HistoryBuffer``, which takes the form in which checkpoints of this
    package hold it.

    Args:
        value (Any): What :func:`load_stand_ins` returns.

    Returns:
        Any: The same with fewer stand-ins.

    Raises:
        ValueError: If one of these is not as its library writes it.
    """
    if isinstance(value, type) and issubclass(value, StandIn):
        return value()
    if isinstance(value, StandIn):
        read = _READERS.get(type(value).__name__, lambda unknown: unknown)
        try:
            return read(value)
        except (
            TypeError,
            LookupError,
            AttributeError,
            AssertionError,
        ) as error:
            raise ValueError(
                f'a {type(value).__name__} is not as its library writes it: '
                f'{error}'
            ) from error
    if isinstance(value, dict):
        items = {
            read_stand_ins(key): read_stand_ins(item)
            for key, item in value.items()
        }
        read = type(value)(items)
        if hasattr(value, '_metadata'):
            read._metadata = read_stand_ins(value._metadata)
        return read
    if type(value) in (list, tuple):
        return type(value)(map(read_stand_ins, value))
    return value


def _stand_in(name: str) -> Any:
    # The items of a dict come after it, and torch puts them into dicts only.
    if name == 'collections.defaultdict':
        return lambda *factory: {}
    return type(name, (StandIn,), {})


def _dtype(found: StandIn) -> np.dtype:
    code, order = found.args[0], found.state[1]
    if not _PLAIN_DTYPE.fullmatch(code):
        raise ValueError(f'an array of {code!r}; expected numbers')
    return np.dtype(code).newbyteorder(order)


def _number(found: StandIn) -> Any:
    dtype, data = found.args
    return np.frombuffer(data, _dtype(dtype)).item()


def _array(found: StandIn) -> Any:
    _, shape, dtype, is_fortran, data = found.state
    if not _PLAIN_DTYPE.fullmatch(dtype.args[0]):
        return found
    array = np.frombuffer(data, _dtype(dtype))
    array = array.reshape(shape, order='F' if is_fortran else 'C')
    return array.astype(array.dtype.newbyteorder('='), order='C')


def _history(found: StandIn) -> dict:
    values = {key: read_stand_ins(item) for key, item in found.state.items()}
    return pack(
        HistoryBuffer(
            values['_log_history'],
            values['_count_history'],
            values['max_length'],
        )
    )


_READERS = {
    'mmengine.config.config.ConfigDict': lambda x: read_stand_ins(x.args[0]),
    'mmengine.logging.history_buffer.HistoryBuffer': _history,
}
# numpy 2 moved them
for _core in ('numpy.core', 'numpy._core'):
    _READERS[f'{_core}.multiarray.scalar'] = _number
    _READERS[f'{_core}.multiarray._reconstruct'] = _array
