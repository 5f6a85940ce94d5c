"""Deprecated names of version 0.1."""

import logging
import warnings
from collections.abc import Callable
from typing import Any

from mmengine.logging import print_log
from mmengine.registry import Registry


def old_names(module: str, names: dict[str, Any]) -> Callable[[str], Any]:
    """Make a module ``__getattr__`` for renamed attributes.

    Args:
        module (str): Its name.
        names (dict[str, Any]): What each old name stands for: a class or a
            function.

    Returns:
        callable: ``__getattr__`` for the module's globals.
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f'module {module!r} has no name {name!r}')
        new = names[name]
        warnings.warn(
            f'{module}.{name} is called {new.__name__} now; the old name goes '
            'with the next version',
            FutureWarning,
            stacklevel=2,
        )
        return new

    return find


def register_old_name(registry: Registry, name: str, new: type) -> None:
    """Register a class under its deprecated name.

    Args:
        registry (Registry): Where configs find it.
        name (str): The old name.
        new (type): The class, registered by its own name.
    """

    def build(**settings) -> Any:
        print_log(
            f"type='{name}' is called {new.__name__} now; the old name goes "
            'with the next version',
            logger='current',
            level=logging.WARNING,
        )
        return new(**settings)

    registry.register_module(name=name, module=build)
