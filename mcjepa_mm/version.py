"""The version, as a string and as comparable numbers."""

__version__ = '0.1.0'

version_info = tuple(int(part) for part in __version__.split('.'))
