"""Compatibility patches, one upstream bug per file.

Each module offers ``needed()`` (has this environment the bug?) and
``apply()`` (idempotent). Importing :mod:`mcjepa_mm` applies ``ON_IMPORT``,
without which other projects cannot be imported here. The others change what
mmengine and mmflow do, for everybody in the process: this package's own
commands apply them, and so does importing :mod:`mcjepa_mm.compat.all`, for
``custom_imports`` in the configs of other projects. ``python -m
mcjepa_mm.compat`` prints the list.
"""

from mcjepa_mm.compat import (
    config_text,
    foreign_checkpoints,
    mlflow_pictures,
    mmcv_ext,
    mmflow_hue,
    plain_checkpoints,
    torchvision_operators,
)

ON_IMPORT = {
    'mmcv_ext': mmcv_ext,
    'torchvision_operators': torchvision_operators,
}
PATCHES = {
    **ON_IMPORT,
    'plain_checkpoints': plain_checkpoints,
    'foreign_checkpoints': foreign_checkpoints,
    'mmflow_hue': mmflow_hue,
    'config_text': config_text,
    'mlflow_pictures': mlflow_pictures,
}


def apply_on_import() -> None:
    """Apply what imports need. Imports neither torch nor what is patched."""
    for patch in ON_IMPORT.values():
        patch.apply()


def apply_all() -> None:
    """Apply every patch that is needed here."""
    for patch in PATCHES.values():
        patch.apply()


def report() -> str:
    """Say of each patch whether it is needed here, and what applies it.

    Returns:
        str: A table with a row per patch: name, needed here, applied by.
    """
    rows = [('patch', 'needed here', 'applied by')]
    for name, patch in PATCHES.items():
        needed = 'yes' if patch.needed() else 'no'
        module = 'mcjepa_mm' if name in ON_IMPORT else 'mcjepa_mm.compat.all'
        rows.append((name, needed, f'import {module}'))
    return '\n'.join(f'{a:<24}{b:<14}{c}' for a, b, c in rows)


__all__ = ['ON_IMPORT', 'PATCHES', 'apply_all', 'apply_on_import', 'report']
