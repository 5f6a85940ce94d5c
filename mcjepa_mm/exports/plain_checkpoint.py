"""Old checkpoints of mmengine in the form that this package writes."""

import io
import os
from pathlib import Path

import torch

from mcjepa_mm.compat import to_plain
from mcjepa_mm.utils.checkpoint import write_new

from .stand_ins import load_stand_ins, read_stand_ins


def plain_checkpoint(
    checkpoint: str | os.PathLike, out: str | os.PathLike
) -> None:
    """Write a checkpoint anew, so that it loads with ``weights_only=True``.

    For what mmengine wrote without this package: it holds objects, such as
    the history of each logged value, and torch >= 2.6 refuses it. Nothing of
    the file is run. A training resumes from what is written. What has no
    plain form is left out with a warning that names it.

    Args:
        checkpoint (str | PathLike): The old file.
        out (str | PathLike): The new one, ``.pth``.

    Raises:
        FileExistsError: If ``out`` is there.
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it needs none of this, or is no checkpoint.
    """
    if not Path(checkpoint).is_file():
        raise FileNotFoundError(f'there is no checkpoint {str(checkpoint)!r}')
    content = load_stand_ins(checkpoint)
    if not isinstance(content, dict):
        raise ValueError(
            f'{checkpoint} is no checkpoint: expected a dict, got '
            f'{type(content).__name__}'
        )
    try:
        content = to_plain(read_stand_ins(content), 'checkpoint')
    except RecursionError as error:
        raise ValueError(
            f'{checkpoint} is refused: it holds something that contains '
            'itself, or is nested too deep, as no checkpoint is'
        ) from error
    except ValueError as error:
        raise ValueError(f'{checkpoint}: {error}') from error
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_new(Path(out), buffer.getvalue())
