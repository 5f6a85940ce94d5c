"""Publish the encoder of a checkpoint, with or without its flow."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mcjepa_mm.models.backbones import read_backbone
from mcjepa_mm.utils.atomic_write import atomic_write
from mcjepa_mm.utils.checkpoint import encode_checkpoint, origin, write_new
from mcjepa_mm.utils.config_text import read_model
from mcjepa_mm.version import __version__

from .flow_graph import read_flow_graph

# What a run adds to the name of its config, and a published file to its own.
_TIMESTAMP = re.compile(r'_\d{8}_\d{6}$')
_HASH = re.compile(r'-[0-9a-f]{8}$')


def publish(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike | None = None,
    *,
    safetensors: bool = False,
    flow: bool = False,
    half: bool = False,
    card: Mapping[str, Any] | None = None,
    replace: bool = False,
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
        flow (bool): Add the flow decoder, and of the training's config the
            encoder and the motion head, as ``cfg``. Names are then those of
            the training in either format. Defaults to False.
        half (bool): Write float16, half the size. Defaults to False.
        card (Mapping[str, Any], optional): What is known of the weights
            besides, plain data. It is written to ``NAME-xxxxxxxx.json``,
            after what the checkpoint says. Defaults to None: no such file.
        replace (bool): Remove other files of this NAME from the folder, in
            place of an error if one is there. Defaults to False.

    Returns:
        Path: The file.

    Raises:
        FileExistsError: If it is there.
        FileNotFoundError, ImportError, ValueError: As ``read_backbone``, for
            the flow as :func:`read_flow_graph`.
        ValueError: If the encoder is not whole, a weight is no number in
            float16, or NAME cannot be followed by a hash.
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
    tensors, prefix = trained.state_dict, 'backbone.'
    if flow:
        tensors, prefix = read_flow_graph(checkpoint).state_dict(), ''
        meta['cfg'] = _flow_record(trained.meta['cfg'])
    if half:
        tensors = _halved(tensors, checkpoint)
    content = encode_checkpoint(tensors, meta, suffix=suffix, prefix=prefix)
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f'{name}-{digest[:8]}{suffix}'
    files = {path: content}
    if card is not None:
        known = dict(
            file=path.name,
            bytes=len(content),
            sha256=digest,
            parameters=sum(x.numel() for x in tensors.values()),
            dtype=str(next(iter(tensors.values())).dtype),
            seed=trained.meta.get('seed'),
            **{key: value for key, value in meta.items() if key != 'cfg'},
        )
        text = json.dumps({**card, **known}, indent=2)
        files[path.with_suffix('.json')] = f'{text}\n'.encode()
    old = {
        x
        for ending in (suffix, '.json')
        for x in folder.glob(f'{name}-{"[0-9a-f]" * 8}{ending}')
    }
    for file, data in files.items():
        write = atomic_write if replace and file in old else write_new
        write(file, data)
    if replace:
        for file in old - files.keys():
            file.unlink()
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


def _flow_record(text: str) -> str:
    """Of a training's config what its flow estimator is built from."""
    # not imported before an encoder alone is published, as in flow_graph
    from mcjepa_mm.apis.flow_model import estimator_config

    return f'model = {estimator_config(read_model(text))!r}\n'


def _halved(
    tensors: Mapping[str, Tensor], checkpoint: str | os.PathLike
) -> dict[str, Tensor]:
    """The weights in float16; whole numbers stay what they are."""
    halved = {}
    for key, value in tensors.items():
        halved[key] = value.half() if value.is_floating_point() else value
        if not torch.isfinite(halved[key]).all():
            raise ValueError(
                f'{checkpoint} has values in {key!r} that are no numbers in '
                f'float16, whose largest is 65504: the largest there is '
                f'{value.abs().max():.3g}; publish it in full precision'
            )
    return halved
