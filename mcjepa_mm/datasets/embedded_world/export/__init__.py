"""Export the embedded world in the layouts of real data sets."""

from .exporter import LAYOUTS, Layout, export
from .scene_set import SceneSet

__all__ = ['LAYOUTS', 'Layout', 'SceneSet', 'export']
