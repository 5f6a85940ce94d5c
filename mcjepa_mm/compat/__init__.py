"""Mends of upstream breaks, one per file, applied only where needed.

Each module offers ``needed()`` (is this environment broken that way?),
``apply()`` (idempotent) and ``applied()`` (is the mend in force?).
``python -m mcjepa_mm.compat`` prints all of it.
"""

from importlib import import_module
from importlib.util import find_spec

from mcjepa_mm.compat import (
    config_text,
    foreign_checkpoints,
    mmcv_ext,
    mmflow_hue,
    plain_checkpoints,
    torchvision_operators,
)
from mcjepa_mm.compat.plain_checkpoints import to_plain

MENDS = {
    'mmcv_ext': mmcv_ext,
    'torchvision_operators': torchvision_operators,
    'plain_checkpoints': plain_checkpoints,
    'foreign_checkpoints': foreign_checkpoints,
    'mmflow_hue': mmflow_hue,
    'config_text': config_text,
}


def apply() -> None:
    """Apply every mend. Imports neither torch nor the packages mended."""
    for mend in MENDS.values():
        mend.apply()


def report() -> str:
    """Say of each mend whether it is needed here and whether it is applied.

    Imports torchvision where it is installed, because its mend waits for
    that.

    Returns:
        str: A table with a row per mend: name, needed here, applied.
    """
    if find_spec('torchvision') is not None:
        import_module('torchvision')
    rows = [('mend', 'needed here', 'applied')]
    for name, mend in MENDS.items():
        rows.append((name, _word(mend.needed()), _word(mend.applied())))
    return '\n'.join(f'{a:<24}{b:<14}{c}' for a, b, c in rows)


def _word(value: bool) -> str:
    return 'yes' if value else 'no'


__all__ = ['MENDS', 'apply', 'report', 'to_plain']
