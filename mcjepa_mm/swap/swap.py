"""Replacing the backbone of another project's config."""

import logging
import os
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import torch
from torch import nn

from mcjepa_mm.engine.inherited_scope import read_config
from mcjepa_mm.models.backbones import MCJEPAConvNeXt

from .base_config import read_base_config
from .classifier import run_classifier, swap_classifier
from .config_text import write_config
from .detector import run_detector, swap_detector
from .flow_estimator import run_flow_estimator, swap_flow_estimator
from .measure import SwapError, build, swap_error
from .new_backbone import NewBackbone
from .readers import Row, Swapped
from .segmentor import run_segmentor, swap_segmentor
from .settings import adapt_optimizer, swapped_settings


@dataclass(frozen=True)
class SwapReport:
    """What was written, and what is in it.

    Attributes:
        path (Path): The config.
        rows (list[Row]): What the parts of the model read before and after.
        notes (list[str]): What a user should know.
    """

    path: Path
    rows: list[Row]
    notes: list[str]

    def __str__(self) -> str:
        table = [('part', 'type', 'before', 'after')]
        for row in self.rows:
            maps = zip(row.old, row.new, strict=True)
            for i, (old, new) in enumerate(maps):
                first = (row.part, row.kind) if i == 0 else ('', '')
                table.append((*first, str(old), str(new)))
        widths = [max(map(len, column)) for column in zip(*table)]
        lines = [
            '  '.join(map(str.ljust, line, widths)).rstrip() for line in table
        ]
        lines[0] += '   (channels / stride)'
        lines += [f'note: {note}' for note in self.notes]
        return '\n'.join(lines)


_Swap = Callable[[dict, NewBackbone], Swapped]
_SWAPS: dict[str, tuple[_Swap, Callable[[nn.Module], None]]] = dict(
    mmseg=(swap_segmentor, run_segmentor),
    mmpretrain=(swap_classifier, run_classifier),
    mmdet=(swap_detector, run_detector),
    mmflow=(swap_flow_estimator, run_flow_estimator),
)


def swap_backbone(
    config: str | os.PathLike,
    *,
    checkpoint: str | os.PathLike | None = None,
    arch: str | None = None,
    out: str | os.PathLike | None = None,
) -> SwapReport:
    """Write a config that is another one with MC-JEPA's encoder in it.

    The new config inherits the old one. It is built, loaded and run once on
    an image before it is written.

    Args:
        config (str | PathLike): Config of mmsegmentation, mmpretrain,
            mmdetection or mmflow: a path, or ``'mmseg::FILE'``.
        checkpoint (str | PathLike, optional): Where the encoder's weights
            are; it decides the arch. Without one the encoder starts random.
        arch (str, optional): Size of the encoder where there is no
            checkpoint. Defaults to None, 'tiny'.
        out (str | PathLike, optional): The file to write. Defaults to the
            config's name with ``_mcjepa`` in the current folder.

    Returns:
        SwapReport: What was written.

    Raises:
        SwapError: If the config cannot be swapped.
        FileNotFoundError: If config, checkpoint or the folder of ``out`` is
            not there.
        FileExistsError: If ``out`` exists.
        ValueError: If the checkpoint holds no encoder of this package, or
            both a checkpoint and an arch are given.
    """
    if checkpoint is not None and arch is not None:
        raise ValueError(
            f'the checkpoint decides the arch; leave out arch={arch!r}'
        )
    out = _free_path(out, config)
    new = (
        NewBackbone(dict(arch=arch or 'tiny'))
        if checkpoint is None
        else NewBackbone.from_checkpoint(checkpoint)
    )
    base = read_base_config(config)
    model = base.content.get('model')
    part = 'encoder' if base.scope == 'mmflow' else 'backbone'
    if not model or not model.get(part):
        raise SwapError(f'{base.path} has no model with {part} to replace')
    swap, run_once = _SWAPS[base.scope]
    swapped = swap(model, new)
    changes, notes = swapped_settings(base.content, swapped)
    if new.init_cfg is None:
        notes.append(
            'no checkpoint is given: the backbone starts from random weights'
        )

    reference = base.reference(out.parent)
    trial = out.with_name(f'{out.stem}_part{os.getpid()}.py')
    try:
        trial.write_text(write_config(reference, changes, notes))
        built = _build(trial, base.scope)
        with (
            torch.no_grad(),
            swap_error(
                f'the {type(built).__name__} was built with the new '
                'backbone, but cannot be run'
            ),
        ):
            run_once(built)
        # What a constructor knows by name needs the names of the new model.
        change, words = adapt_optimizer(
            base.content.get('optim_wrapper') or {},
            [name for name, _ in built.named_parameters()],
        )
        if change:
            changes['optim_wrapper'] = change
        notes += words
        trial.write_text(write_config(reference, changes, notes))
        read_config(trial)
        os.replace(trial, out)
    finally:
        trial.unlink(missing_ok=True)
    return SwapReport(out, swapped.rows, notes)


def _free_path(
    out: str | os.PathLike | None, config: str | os.PathLike
) -> Path:
    if out is None:
        name = os.fspath(config).rpartition('::')[2]
        out = Path(f'{Path(name).stem}_mcjepa.py')
    out = Path(out).absolute()
    if out.suffix != '.py':
        raise ValueError(f'a config is a .py file, got {out}')
    if out.exists():
        raise FileExistsError(f'{out} exists; name another file')
    if not out.parent.is_dir():
        raise FileNotFoundError(f'there is no folder {out.parent}')
    return out


def _build(path: Path, scope: str) -> nn.Module:
    """Build the model of a config, and load the encoder's weights."""
    # mmengine reports every tensor that it loads, partly by print.
    logging.disable(logging.INFO)
    try:
        with redirect_stdout(StringIO()):
            model = build(read_config(path).model, scope)
            for module in model.modules():
                if isinstance(module, MCJEPAConvNeXt):
                    module.init_weights()
    finally:
        logging.disable(logging.NOTSET)
    return model
