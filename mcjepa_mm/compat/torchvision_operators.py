"""Schemas for torchvision's operators where its compiled half cannot load.

When it applies
    torchvision's ``_C`` library does not load: most often a torchvision that
    was built against a CUDA torch beside a CPU torch, which is what a plain
    install from an index gives.
Why
    torchvision tolerates that its library does not load, and then registers
    fake kernels for ``torchvision::nms`` and ``torchvision::qnms`` all the
    same. torch refuses those for operators that do not exist, so ``import
    torchvision`` fails, and with it mmpretrain, which needs none of them.
When it can go
    When torchvision guards ``register_fake`` by ``_has_ops()`` as it guards
    its other registrations.

The schemas say only that the operators exist. Calling one still raises
torchvision's own error.
"""

from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
)
from importlib.util import find_spec
from types import ModuleType

from mcjepa_mm.compat.import_hook import on_import

# The operators that torchvision 0.28 registers without a guard.
_SCHEMAS = {
    'nms': 'nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
    'qnms': 'qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
}

# torch forgets a definition when the library object that made it goes.
_library = None


def needed() -> bool:
    """Whether torchvision is installed and its library cannot load here.

    Imports torch, but not torchvision.
    """
    spec = find_spec('torchvision')
    if spec is None:
        return False
    return not _compiled_half_loads(spec.submodule_search_locations[0])


def apply() -> None:
    """Define the schemas when torchvision is imported, where needed."""
    on_import('torchvision', before=_define_schemas)


def applied() -> bool:
    """Whether the schemas are defined (not before torchvision is used)."""
    return _library is not None


def _define_schemas(torchvision: ModuleType) -> None:
    global _library
    if applied() or _compiled_half_loads(torchvision.__path__[0]):
        return
    from torch.library import Library

    _library = Library('torchvision', 'FRAGMENT')
    for schema in _SCHEMAS.values():
        _library.define(schema)


def _compiled_half_loads(folder: str) -> bool:
    import torch

    path = _library_path(folder)
    if path is None:
        return False
    try:
        torch.ops.load_library(path)
    except OSError:  # the answer, not a failure: what the dynamic linker says
        return False
    return True


def _library_path(folder: str) -> str | None:
    finder = FileFinder(folder, (ExtensionFileLoader, EXTENSION_SUFFIXES))
    spec = finder.find_spec('_C')
    return None if spec is None else spec.origin
