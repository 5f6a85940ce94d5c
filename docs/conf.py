"""The documentation as a site: ``sphinx-build -W docs docs/_build``."""

import pkgutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import mcjepa_mm  # noqa: E402

project = 'mcjepa_mm'
release = mcjepa_mm.__version__
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
exclude_patterns = ['_build']
html_theme = 'alabaster'
html_theme_options = {'page_width': '1100px'}

# Headings have the anchors that GitHub gives them.
myst_heading_anchors = 4

# Every name is described where it is defined, not where it is handed on.
autodoc_default_options = {
    'members': True,
    'member-order': 'bysource',
    'ignore-module-all': True,
}
napoleon_use_ivar = True
# What torch and mmengine say of the methods that are overridden is theirs.
autodoc_inherit_docstrings = False


def write_reference() -> None:
    """Write ``api/ROOM.rst``: every public module of one room of the package.

    They are made at every build, so that no list has to be kept. One that has
    not changed is left alone, and is not read again.
    """
    folder = HERE / 'api'
    folder.mkdir(exist_ok=True)
    pages = {}
    for room in pkgutil.iter_modules(mcjepa_mm.__path__, 'mcjepa_mm.'):
        if room.ispkg:
            page = folder / f'{room.name.rpartition(".")[2]}.rst'
            pages[page] = describe(room.name)
    for page in {*folder.glob('*.rst')} - {*pages}:
        page.unlink()
    for page, text in pages.items():
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


def describe(room: str) -> str:
    """A page with a heading for each module."""
    path = [str(HERE.parent / room.replace('.', '/'))]
    lines = [room, '=' * len(room), '', f'.. automodule:: {room}', '']
    for name in sorted(
        x.name for x in pkgutil.walk_packages(path, f'{room}.')
    ):
        if not any(x.startswith('_') for x in name.split('.')):
            lines += [name, '-' * len(name), '', f'.. automodule:: {name}', '']
    return '\n'.join(lines)


write_reference()
