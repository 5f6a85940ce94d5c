"""Read and write checkpoints in torch's format and safetensors."""

import io
import json
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .atomic_write import atomic_write
from .named_weights import find_weights
from .safe_load import load_error, safe_load

SUFFIXES = ('.pth', '.safetensors')
READABLE = (*SUFFIXES, '.pt')


def read_checkpoint(
    path: str | os.PathLike,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors of a checkpoint file.

    Args:
        path (str | PathLike): A ``.safetensors`` file, or one that torch
            wrote: a dict of tensors, or a dict with one as ``state_dict``.
            Or the name of weights of this package.

    Returns:
        tuple: The tensors by name, and what the file says about them; of a
        ``.safetensors`` file that is a dict of strings.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If it takes safetensors, which is not installed.
        ValueError: If it is no checkpoint.
    """
    path = find_weights(path)
    if path.suffix == '.safetensors':
        content = _load_safetensors(path)
    else:
        content = safe_load(path)
    tensors = content
    if isinstance(content, dict):
        tensors = content.get('state_dict', content)
    if not isinstance(tensors, dict):
        raise ValueError(
            f'{path} is no checkpoint: expected a dict of tensors, got '
            f'{type(tensors).__name__}'
        )
    return tensors, dict(content.get('meta') or {})


def _load_safetensors(path: Path) -> dict[str, dict]:
    safetensors = import_safetensors()
    try:
        with safetensors.safe_open(path, framework='pt') as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}
            return dict(state_dict=tensors, meta=file.metadata())
    except (safetensors.SafetensorError, OSError) as error:
        raise load_error(path, error) from error


class StateDictDifference(NamedTuple):
    """Differences of a state dict from a model's.

    Attributes:
        missing (list[str]): Names of the model that are not given.
        wrong (list[str]): Names that are given in another shape.
        unknown (list[str]): Names that are given and not the model's.
    """

    missing: list[str]
    wrong: list[str]
    unknown: list[str]

    @property
    def unfilled(self) -> list[str]:
        """list[str]: Tensors of the model that these weights do not fill."""
        return self.missing + self.wrong

    def __str__(self) -> str:
        return '; '.join(
            f'{len(names)} {word}, such as {names[0]!r}'
            for word, names in zip(self._fields, self, strict=True)
            if names
        )


def compare_state_dict(
    given: Mapping[str, Any], wanted: Mapping[str, Tensor]
) -> StateDictDifference:
    """Compare a state dict with a model's, by name and shape.

    Args:
        given (Mapping[str, Any]): Weights of any origin. The prefix
            ``module.``, which a wrapped model leaves, is taken off.
        wanted (Mapping[str, Tensor]): The model's ``state_dict()``.

    Returns:
        StateDictDifference: All empty if the weights are the model's.
    """
    shapes = {
        str(key).removeprefix('module.'): getattr(value, 'shape', None)
        for key, value in given.items()
    }
    return StateDictDifference(
        [key for key in wanted if key not in shapes],
        [k for k, x in wanted.items() if k in shapes and shapes[k] != x.shape],
        [key for key in shapes if key not in wanted],
    )


def encode_checkpoint(
    state_dict: Mapping[str, Tensor],
    meta: Mapping[str, Any],
    *,
    suffix: str,
    prefix: str = '',
) -> bytes:
    """Serialise a checkpoint to deterministic bytes.

    Args:
        state_dict (Mapping[str, Tensor]): What it holds. Tensors are written
            for a CPU, contiguous, in the precision that they have.
        meta (Mapping[str, Any]): What it says about them: strings, numbers,
            None, and lists, tuples and dicts of these.
        suffix (str): '.pth', a dict of ``state_dict`` and ``meta`` that loads
            with ``weights_only=True``; or '.safetensors', whose metadata are
            strings: all of ``meta`` that is no string becomes JSON.
        prefix (str): Goes before the names in a '.pth'. Those of a
            '.safetensors' are bare. Defaults to ''.

    Returns:
        bytes: The whole file.

    Raises:
        ImportError: If it takes safetensors, which is not installed.
        ValueError: For another suffix.
    """
    if suffix not in SUFFIXES:
        raise ValueError(
            f'a checkpoint ends in {" or ".join(SUFFIXES)}, got {suffix!r}'
        )
    # A view would bring all of the storage that it is a part of.
    tensors = {
        key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, value in state_dict.items()
    }
    if suffix == '.safetensors':
        return _encode_safetensors(tensors, meta)
    content = dict(
        state_dict={prefix + key: value for key, value in tensors.items()},
        meta=dict(meta),
    )
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _encode_safetensors(
    tensors: dict[str, Tensor], meta: Mapping[str, Any]
) -> bytes:
    import_safetensors()
    from safetensors.torch import save

    strings = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in meta.items()
    }
    data = save(tensors, dict(format='pt', **strings))
    # 8 bytes with the length of a header in JSON, then the header, then the
    # tensors. safetensors 0.8.0 writes the metadata in an order that differs
    # from process to process.
    start = 8 + int.from_bytes(data[:8], 'little')
    header = json.loads(data[8:start])
    header['__metadata__'] = dict(sorted(header['__metadata__'].items()))
    text = json.dumps(header, separators=(',', ':')).encode()
    # spaces, so that the tensors begin at a multiple of 8
    text += b' ' * (-len(text) % 8)
    return len(text).to_bytes(8, 'little') + text + data[start:]


def origin(meta: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says about the training that it comes from."""
    known = ('experiment_name', 'epoch', 'iter')
    return {key: meta[key] for key in known if key in meta}


def refuse_existing(path: Path) -> None:
    """Raise FileExistsError if there is something of this name."""
    if path.exists():
        raise FileExistsError(
            f'{path} exists and is left as it is: remove it, or name another'
        )


def write_new(path: Path, content: bytes) -> None:
    """Write a new file, and the folders above it.

    Raises:
        FileExistsError: If there is something of this name.
    """
    refuse_existing(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, content)


def import_safetensors() -> ModuleType:
    """Import the optional package safetensors.

    Raises:
        ImportError: Saying what to install.
    """
    try:
        return import_module('safetensors')
    except ModuleNotFoundError as error:
        raise ImportError(
            '.safetensors files need the package safetensors: '
            'pip install safetensors'
        ) from error
