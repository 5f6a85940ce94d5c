"""The embedded world as files, in the layouts of real data sets."""

from .exporter import LAYOUTS, Layout, export
from .stage import Stage

__all__ = ['LAYOUTS', 'Layout', 'Stage', 'export']
