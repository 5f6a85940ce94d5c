"""Find and read the base config of a swap."""

import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config

from mcjepa_mm.apis.model_files import find_config
from mcjepa_mm.engine.inherited_scope import read_config

from .measure import SwapError, swap_error

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
    """A config of another project, a key of ``PROJECTS``."""

    path: Path
    content: Config
    scope: str

    def reference(self, folder: Path) -> str:
        """How a config in ``folder`` names it in ``_base_``."""
        path = self.path.resolve()
        for scope in PROJECTS:
            configs = _configs(scope)
            if configs and path.is_relative_to(configs.resolve()):
                inside = path.relative_to(configs.resolve()).as_posix()
                if _NAMEABLE.match(name := f'{scope}::{inside}'):
                    return name
        return os.path.relpath(self.path, folder)


def read_base_config(name: str | os.PathLike) -> BaseConfig:
    """Find a config and read it.

    Args:
        name (str | PathLike): A path, the file's name of a config of this
            package, or ``'mmseg::...'`` with the path below the project's
            ``configs`` or the file's name alone.

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
        try:
            path = Path(find_config(name))
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{error}; one of another project is PROJECT::FILE with '
                f'PROJECT one of {", ".join(PROJECTS)}'
            ) from error
    path = path.absolute()
    with swap_error(f'{path} cannot be read as a config'):
        content = read_config(path)
    scope = content.get('default_scope')
    if scope not in PROJECTS:
        raise SwapError(
            f'{path} is no config of {", ".join(PROJECTS)}: its '
            f'default_scope is {scope!r}'
        )
    if find_spec(scope) is None:
        raise SwapError(_not_installed(scope))
    return BaseConfig(path, content, scope)


def _configs(scope: str) -> Path | None:
    """Folder of the configs of an installed project."""
    spec = find_spec(scope)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / '.mim' / 'configs'


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


def _not_installed(scope: str) -> str:
    return (
        f'{scope} is not installed here; install it to swap its configs: '
        f'pip install {PROJECTS[scope]}'
    )
