"""The config that is swapped: where it is, and whose it is."""

import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config

from mcjepa_mm.apis.model_files import find_config
from mcjepa_mm.engine.inherited_scope import read_config

from .errors import SwapError, reason

# default_scope of a config, and the name that MIM knows the project by.
PROJECTS = {
    'mmseg': 'mmsegmentation',
    'mmpretrain': 'mmpretrain',
    'mmdet': 'mmdet',
    'mmflow': 'mmflow',
}
# Folders that mmengine looks for in a package: not gn+ws, not legacy_1.x.
_NAMEABLE = re.compile(r'\w+::\w+/')


@dataclass(frozen=True)
class BaseConfig:
    """A config of another project.

    Attributes:
        path (Path): Its file.
        content (Config): What is in it, its own bases included.
        scope (str): Its project, a key of ``PROJECTS``.
        package_name (str, optional): ``'scope::folder/file.py'`` where the
            file belongs to an installed project.
    """

    path: Path
    content: Config
    scope: str
    package_name: str | None

    def reference(self, folder: Path) -> str:
        """How a config in ``folder`` names it in ``_base_``."""
        return self.package_name or os.path.relpath(self.path, folder)


def read_base_config(name: str | os.PathLike) -> BaseConfig:
    """Find a config and read it.

    Args:
        name (str | PathLike): A path, the file's name of a config of this
            package, or ``'mmseg::...'`` with the path below the project's
            ``configs`` or the file's name alone.

    Returns:
        BaseConfig: The config.

    Raises:
        FileNotFoundError: If there is no such file.
        SwapError: If the project is unknown or not installed, or the file
            is no config of one of ``PROJECTS``.
    """
    name = os.fspath(name)
    scope, separator, inside = name.partition('::')
    if separator:
        path = _in_project(scope, inside)
    else:
        path = _file_or_own(name)
    path = path.absolute()
    try:
        content = read_config(path)
    # a config is code: whatever it raises is the reason to tell
    except Exception as error:
        raise SwapError(
            f'{path} cannot be read as a config: {reason(error)}'
        ) from error
    scope = content.get('default_scope')
    if scope not in PROJECTS:
        raise SwapError(
            f'{path} is no config of {", ".join(PROJECTS)}: its '
            f'default_scope is {scope!r}'
        )
    if find_spec(scope) is None:
        raise SwapError(_not_installed(scope))
    return BaseConfig(path, content, scope, _package_name(path))


def _configs(scope: str) -> Path | None:
    """Folder of the configs of an installed project."""
    spec = find_spec(scope)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / '.mim' / 'configs'


def _file_or_own(name: str) -> Path:
    try:
        return Path(find_config(name))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{error}; one of another project is PROJECT::FILE with PROJECT '
            f'one of {", ".join(PROJECTS)}'
        ) from error


def _in_project(scope: str, inside: str) -> Path:
    if scope not in PROJECTS:
        raise SwapError(
            f'unknown project {scope!r}; configs of '
            f'{", ".join(PROJECTS)} can be swapped'
        )
    folder = _configs(scope)
    if folder is None:
        raise SwapError(_not_installed(scope))
    if not inside.endswith('.py'):
        inside += '.py'
    if (folder / inside).is_file():
        return folder / inside
    found = sorted(folder.rglob(Path(inside).name))
    if len(found) > 1:
        raise SwapError(
            f'{scope} has {len(found)} configs {inside!r}; name one of '
            + ', '.join(f'{scope}::{p.relative_to(folder)}' for p in found)
        )
    if not found or '/' in inside:
        raise FileNotFoundError(f'{scope} has no config {inside!r}')
    return found[0]


def _package_name(path: Path) -> str | None:
    for scope in PROJECTS:
        folder = _configs(scope)
        if folder is not None and folder.resolve() in path.resolve().parents:
            inside = path.resolve().relative_to(folder.resolve())
            name = f'{scope}::{inside.as_posix()}'
            return name if _NAMEABLE.match(name) else None
    return None


def _not_installed(scope: str) -> str:
    return (
        f'{scope} is not installed here; install it to swap its configs: '
        f'pip install {PROJECTS[scope]}'
    )
