"""Entry for tools that still call setup.py; all of it is in pyproject.toml."""

from setuptools import setup

setup()
