"""What figures may depend on besides the model and the data."""

import shutil
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from mcjepa_mm.version import __version__

_ROOT = Path(__file__).resolve().parents[2]  # of a checkout
_PACKAGES = (
    *('mmengine', 'mmcv', 'mmcv-lite', 'mmpretrain', 'mmsegmentation'),
    *('mmflow', 'mmdet', 'torch', 'torchvision', 'numpy', 'opencv-python'),
)


def provenance() -> dict[str, Any]:
    """Version, commit, processor and threads, for a record of figures."""
    return dict(
        version=__version__,
        commit=_commit(),
        torch=torch.__version__,
        # the vector instructions that torch uses
        processor=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
    )


def package_versions() -> dict[str, str]:
    """Installed versions of OpenMMLab's packages, torch, NumPy and OpenCV."""
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _commit() -> str | None:
    """The checkout's commit, with '+' if files differ from it."""
    # an installed package may lie in a checkout of something else
    if not (_ROOT / '.git').exists() or not shutil.which('git'):
        return None
    git = ['git', '--no-optional-locks']  # somebody may be committing
    found = subprocess.run(
        [*git, 'describe', '--always', '--dirty=+', '--abbrev=10'],
        cwd=_ROOT,
        capture_output=True,
        text=True,
    )
    return found.stdout.strip() or None
