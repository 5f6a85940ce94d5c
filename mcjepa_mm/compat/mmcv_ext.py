"""A stand-in for ``mmcv._ext``, the compiled half of mmcv.

When it applies
    mmcv is installed without its compiled operators (the distribution
    ``mmcv-lite``).
Why
    ``mmcv.ops`` loads ``mmcv._ext`` when it is imported, so without it even
    its pure Python parts cannot be imported. ``mmflow.models`` and
    ``mmseg.models`` import ``mmcv.ops`` whether or not they use a compiled
    operator. mmcv builds from source only, for 25 minutes, and mmcv 2.0.x,
    the last one that mmflow 1.0.0rc0 accepts, does not build against current
    torch at all.
When it can go
    When mmflow and mmsegmentation import compiled operators only where they
    call them, or mmcv-lite ships a ``_ext`` of its own; the correlation,
    when mmflow can be had beside a compiled mmcv that has it on a CPU.

The stand-in is offered by a finder at the end of ``sys.meta_path``: it is
asked only when there is no real ``mmcv._ext``. One that is there but cannot
be loaded stays the error that it is.

Its operators say which one was called and what to install. One works, that
mmflow's models cannot do without: ``mmcv.ops.Correlation``, of
:mod:`mcjepa_mm.compat.mmcv_correlation`.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, spec_from_loader
from types import ModuleType

_NAME = 'mmcv._ext'
_WORKING = ('correlation_forward', 'correlation_backward')


def needed() -> bool:
    """Whether mmcv is installed without its compiled half.

    Looks for the files and imports nothing.
    """
    mmcv = find_spec('mmcv')
    if mmcv is None:
        return False
    folders = mmcv.submodule_search_locations
    return PathFinder.find_spec(_NAME, folders) is None


def apply() -> None:
    """Offer the stand-in, where it is needed."""
    if _FINDER not in sys.meta_path and needed():
        sys.meta_path.append(_FINDER)


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path=None, target=None
    ) -> ModuleSpec | None:
        if name != _NAME:
            return None
        # A real spec, because mmengine and mmcv look `mmcv._ext` up by it.
        return spec_from_loader(name, _StandInLoader())


class _StandInLoader(Loader):
    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        # mmcv's collect_env prints these two instead of guarding them.
        module.get_compiler_version = lambda: 'n/a'
        module.get_compiling_cuda_version = lambda: 'n/a'
        for name in _WORKING:
            setattr(module, name, _working(name))
        module.__getattr__ = _operator


def _working(name: str) -> Callable:
    """The operator ``name``, whose module, with torch, a call imports."""

    def operator(*args, **kwargs):
        module = import_module('mcjepa_mm.compat.mmcv_correlation')
        return getattr(module, name)(*args, **kwargs)

    operator.__name__ = operator.__qualname__ = name
    return operator


def _operator(name: str) -> Callable:
    """Stand for the compiled operator ``name``: present, not callable."""
    if name.startswith('_'):
        raise AttributeError(f'module {_NAME!r} has no attribute {name!r}')

    def operator(*args, **kwargs):
        raise RuntimeError(
            f'The compiled mmcv operator {name!r} was called, but the mmcv '
            'that is installed has no compiled operators (mmcv-lite). To use '
            'it, uninstall mmcv-lite and install an mmcv>=2.0.0,<2.1.0 that '
            'is built for this torch.'
        )

    operator.__name__ = operator.__qualname__ = name
    return operator


_FINDER = _Finder()
