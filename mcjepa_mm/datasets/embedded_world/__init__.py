"""Procedural scenes with exact ground truth."""

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
