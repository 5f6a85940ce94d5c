"""Every example of a docstring says what it prints."""

import doctest
import importlib
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


def modules():
    for path in sorted((REPO / 'mcjepa_mm').rglob('*.py')):
        if '.mim' not in path.parts and '>>> ' in path.read_text('utf-8'):
            yield '.'.join(path.relative_to(REPO).with_suffix('').parts)


@pytest.mark.parametrize('name', [*modules()])
def test_docstrings(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted and not found.failed
