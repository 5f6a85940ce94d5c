"""Publish the encoder of a checkpoint."""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from mcjepa_mm.models.backbones import read_backbone
from mcjepa_mm.utils.checkpoint import encode_checkpoint, origin, write_new
from mcjepa_mm.version import __version__

# What a run adds to the name of its config, and a published file to its own.
_TIMESTAMP = re.compile(r'_\d{8}_\d{6}$')
_HASH = re.compile(r'-[0-9a-f]{8}$')


def publish(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike | None = None,
    *,
    safetensors: bool = False,
) -> Path:
    """Write the encoder of a checkpoint, with its hash in the name.

    The name is ``NAME-xxxxxxxx.pth`` with the first 8 digits of the SHA-256
    of the file, as ``torch.hub`` and OpenMMLab have it. The same checkpoint
    gives the same file.

    Args:
        checkpoint (str | PathLike): What
            :func:`~mcjepa_mm.models.backbones.read_backbone` reads.
        out (str | PathLike, optional): A folder (one that exists, or a path
            that ends in '/'), or a path without hash, the last part of which
            is NAME. By default the checkpoint's folder. NAME is by default
            that of the training's config or, where the checkpoint does not
            tell it, of the checkpoint.
        safetensors (bool): Write a ``.safetensors`` file with bare names, for
            other libraries, in place of a ``.pth`` with names in
            ``backbone.``, for OpenMMLab's. Defaults to False.

    Returns:
        Path: The file.

    Raises:
        FileExistsError: If it is there.
        FileNotFoundError, ImportError, ValueError: As ``read_backbone``.
        ValueError: If the encoder is not whole, or NAME cannot be followed
            by a hash.
    """
    trained = read_backbone(checkpoint)
    suffix = '.safetensors' if safetensors else '.pth'
    folder, name = _place(Path(checkpoint), out, trained.meta, suffix)
    # torch.hub takes what lies between the first '-' before hex digits and
    # the '.' behind them for the hash.
    if not re.fullmatch(r'\w[\w-]*', name, re.ASCII):
        raise ValueError(
            f'a published file cannot be named {name!r}: use letters, digits, '
            "'_' and '-', because a hash and the ending follow"
        )
    trained.build(checkpoint)  # refuses part of an encoder
    meta = dict(
        settings=trained.settings,
        mcjepa_mm_version=__version__,
        **origin(trained.meta),
    )
    content = encode_checkpoint(
        trained.state_dict, meta, suffix=suffix, prefix='backbone.'
    )
    digest = hashlib.sha256(content).hexdigest()[:8]
    path = folder / f'{name}-{digest}{suffix}'
    write_new(path, content)
    return path


def _place(
    checkpoint: Path,
    out: str | os.PathLike | None,
    meta: dict[str, Any],
    suffix: str,
) -> tuple[Path, str]:
    """The folder of a published file, and its name up to the hash."""
    experiment = str(meta.get('experiment_name') or checkpoint.stem)
    name = _HASH.sub('', _TIMESTAMP.sub('', experiment)).replace('.', '_')
    if out is None:
        return checkpoint.parent, name
    if Path(out).is_dir() or os.fspath(out).endswith(('/', os.sep)):
        return Path(out), name
    return Path(out).parent, Path(out).name.removesuffix(suffix)
