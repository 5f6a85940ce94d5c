"""Run code right after another package's module is executed.

A patch of a module that takes seconds to import must not import it just in
order to patch it. This hook waits until somebody else does.
"""

import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_Action = Callable[[ModuleType], None]


def on_import(name: str, action: _Action) -> None:
    """Call ``action`` when the module ``name`` has been executed.

    Args:
        name (str): Full module name, such as ``'torchvision'``.
        action (callable): Called with the module: at once where it is
            imported already.
    """
    if name in sys.modules:
        action(sys.modules[name])
        return
    _FINDER.actions.setdefault(name, []).append(action)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


class _Finder(MetaPathFinder):
    """Wrap the execution of modules that other finders find."""

    def __init__(self) -> None:
        self.actions: dict[str, list[_Action]] = {}

    def find_spec(
        self, name: str, path=None, target=None
    ) -> ModuleSpec | None:
        if name not in self.actions:
            return None
        spec = self._ask_others(name, path, target)
        if spec is not None and hasattr(spec.loader, 'exec_module'):
            _wrap(spec.loader, self.actions[name])
        return spec

    def _ask_others(self, name: str, path, target) -> ModuleSpec | None:
        for finder in sys.meta_path:
            find_spec = getattr(finder, 'find_spec', None)
            if finder is self or find_spec is None:
                continue
            spec = find_spec(name, path, target)
            if spec is not None:
                return spec
        return None


def _wrap(loader, actions: list[_Action]) -> None:
    # A loader object belongs to one module, so it is changed in place: tools
    # that look at its type still see the one they know.
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        for action in actions:
            action(module)

    loader.exec_module = exec_module


_FINDER = _Finder()
