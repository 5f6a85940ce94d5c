"""A procedural world with exact ground truth and no file to download."""

from .first_frame_objects import MaskedScene, masked_scene
from .motion import Motion
from .scene import BACKGROUND, Scene, Surface
from .world import CLASSES, EmbeddedWorld

__all__ = [
    'BACKGROUND',
    'CLASSES',
    'EmbeddedWorld',
    'MaskedScene',
    'Motion',
    'Scene',
    'Surface',
    'masked_scene',
]
