"""Data sets of frame pairs and images, and the embedded world."""

from .bad_samples import (
    BadSampleError,
    BadSampleGuard,
    TooManyBadSamplesError,
)
from .embedded_images import EmbeddedImages
from .embedded_pairs import EmbeddedPairs
from .embedded_world import EmbeddedWorld
from .frame_pairs import FramePairs

__all__ = [
    'BadSampleError',
    'BadSampleGuard',
    'EmbeddedImages',
    'EmbeddedPairs',
    'EmbeddedWorld',
    'FramePairs',
    'TooManyBadSamplesError',
]
