import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mcjepa_mm import __version__

SOURCES = [
    'mcjepa_mm',
    'configs',
    'tools',
    'requirements',
    'model-index.yml',
    'pyproject.toml',
    'setup.py',
    'MANIFEST.in',
    'LICENSE',
    'README.md',
]


@pytest.fixture(scope='session')
def build_wheel():
    """Function of a source and a folder: build without a network."""

    def build(source, target):
        words = ['--no-deps', '--no-build-isolation', '--no-index', '--quiet']
        command = [sys.executable, '-m', 'pip', 'wheel', source, '-w', target]
        subprocess.run([*command, *words], check=True)
        [wheel] = target.glob(f'mcjepa_mm-{__version__}-*.whl')
        return wheel

    return build


@pytest.fixture(scope='session')
def sources(tmp_path_factory):
    """A copy of what is packaged, in which a build may leave its files."""
    repo = Path(__file__).resolve().parents[2]
    copy = tmp_path_factory.mktemp('sources')
    for name in SOURCES:
        if (repo / name).is_dir():
            shutil.copytree(
                repo / name,
                copy / name,
                symlinks=True,
                ignore=shutil.ignore_patterns('__pycache__'),
            )
        else:
            shutil.copy(repo / name, copy / name)
    return copy


@pytest.fixture(scope='session')
def wheel(sources, build_wheel, tmp_path_factory):
    return build_wheel(sources, tmp_path_factory.mktemp('wheel'))


@pytest.fixture(scope='session')
def site(wheel, tmp_path_factory):
    """A folder with the wheel installed in it, for PYTHONPATH."""
    site = tmp_path_factory.mktemp('site')
    subprocess.run(
        [sys.executable, '-m', 'pip', 'install', wheel, '--target', site]
        + ['--no-deps', '--no-index', '--quiet'],
        check=True,
    )
    return site
