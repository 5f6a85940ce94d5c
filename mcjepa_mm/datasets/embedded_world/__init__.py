"""A procedural world with exact ground truth and no file to download."""

from .motion import Motion
from .scene import BACKGROUND, Scene, Surface
from .world import CLASSES, EmbeddedWorld

__all__ = [
    'BACKGROUND',
    'CLASSES',
    'EmbeddedWorld',
    'Motion',
    'Scene',
    'Surface',
]
