"""Schemas for torchvision's operators where its compiled half cannot load.

When it applies
    torchvision's compiled library does not load: most often a torchvision that
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

from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from mcjepa_mm.utils.import_hook import on_import

# The operators that torchvision registers without a guard, in 0.29 too.
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
    if spec is None or not spec.submodule_search_locations:
        return False
    return not _compiled_half_loads(spec.submodule_search_locations[0])


def apply() -> None:
    """Define the schemas when torchvision is imported, where needed."""
    on_import('torchvision.extension', _define_schemas)


# torchvision tells it before it registers the kernels.
def _define_schemas(extension: ModuleType) -> None:
    global _library
    if _library is not None or extension._has_ops():
        return
    from torch.library import Library

    _library = Library('torchvision', 'FRAGMENT')
    for schema in _SCHEMAS.values():
        _library.define(schema)


def _compiled_half_loads(folder: str) -> bool:
    import torch

    # `_C` up to torchvision 0.28, `_C_stable` since
    for path in Path(folder).glob('_C*'):
        try:
            torch.ops.load_library(str(path))
        except OSError:  # the answer: what the dynamic linker says
            continue
        return True
    return False
