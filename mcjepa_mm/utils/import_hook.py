"""Run code right before or after another package's module is executed.

A mend of a module that takes seconds to import must not import it just in
order to mend it. This hook waits until somebody else does.
"""

import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_Action = Callable[[ModuleType], None]


def on_import(
    name: str,
    *,
    before: _Action | None = None,
    after: _Action | None = None,
) -> None:
    """Ask to be called when the module ``name`` is executed.

    Where the module is imported already, ``after`` is called at once and
    ``before`` never is: the import has succeeded without it.

    Args:
        name (str): Full module name, such as ``'torchvision'``.
        before (callable, optional): Called with the module object, still
            empty but with its ``__spec__``, before its body runs.
        after (callable, optional): Called with the module after its body ran.
    """
    if name in sys.modules:
        if after is not None:
            after(sys.modules[name])
        return
    _FINDER.actions.setdefault(name, []).append((before, after))
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


class _Finder(MetaPathFinder):
    """Let the other finders find; wrap the execution of what they found."""

    def __init__(self) -> None:
        self.actions: dict[str, list] = {}

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


def _wrap(
    loader, actions: list[tuple[_Action | None, _Action | None]]
) -> None:
    # A loader object belongs to one module, so it is changed in place: tools
    # that look at its type still see the one they know.
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        for before, _ in actions:
            if before is not None:
                before(module)
        execute(module)
        for _, after in actions:
            if after is not None:
                after(module)

    loader.exec_module = exec_module


_FINDER = _Finder()
