"""Checkpoints of tensors, numbers and strings only, written atomically.

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

A checkpoint from here resumes without this patch too: mmengine then warns of
each logged value whose history it skips.
"""

import os
import sys
from collections.abc import Callable
from functools import cache, wraps

from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.logging import HistoryBuffer, MessageHub


def needed() -> bool:
    """Whether what ``MessageHub`` saves holds objects."""
    hub = MessageHub(
        'probe', log_scalars={'x': HistoryBuffer()}, resumed_keys={'x': True}
    )
    return isinstance(hub.state_dict()['log_scalars']['x'], HistoryBuffer)


@cache
def apply() -> None:
    """Wrap how mmengine saves checkpoints and loads log scalars."""
    from mmengine.runner import checkpoint

    MessageHub.load_state_dict = _restoring_load(MessageHub.load_state_dict)
    save_checkpoint = _atomic_save(checkpoint.save_checkpoint)
    # `checkpoint` and those that have taken the name along
    for name in ('', '.checkpoint', '.runner'):
        sys.modules[f'mmengine.runner{name}'].save_checkpoint = save_checkpoint


def _restoring_load(upstream: Callable) -> Callable:
    @wraps(upstream)
    def load_state_dict(self, state_dict) -> None:
        from mcjepa_mm.utils.serializable import restore_history

        if isinstance(state_dict, dict) and 'log_scalars' in state_dict:
            scalars = state_dict['log_scalars'].items()
            scalars = {key: restore_history(value) for key, value in scalars}
            state_dict = {**state_dict, 'log_scalars': scalars}
        upstream(self, state_dict)

    return load_state_dict


def _atomic_save(upstream: Callable) -> Callable:
    import torch

    from mcjepa_mm.utils.atomic_write import atomic_open
    from mcjepa_mm.utils.serializable import to_serializable

    @wraps(upstream)
    def save_checkpoint(
        checkpoint: dict,
        filename: str,
        file_client_args: dict | None = None,
        backend_args: dict | None = None,
    ) -> None:
        content = to_serializable(checkpoint, 'checkpoint')
        if file_client_args or not _is_local(filename, backend_args):
            upstream(content, filename, file_client_args, backend_args)
            return
        os.makedirs(os.path.dirname(filename) or '.', exist_ok=True)
        with atomic_open(filename) as file:
            torch.save(content, file)

    return save_checkpoint


def _is_local(filename: str, backend_args: dict | None) -> bool:
    if '://' in filename:
        return False
    backend = get_file_backend(filename, backend_args=backend_args)
    return isinstance(backend, LocalBackend)
