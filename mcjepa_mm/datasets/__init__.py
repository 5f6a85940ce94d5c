"""Data sets of frame pairs and images, and the embedded world."""

from .bad_samples import (
    BadSampleError,
    BadSampleGuard,
    TooManyBadSamplesError,
)
from .embedded_images import EmbeddedImages
from .embedded_pairs import EmbeddedPairs
from .embedded_world import EmbeddedWorld
from .flow_benchmarks import (
    HD1K,
    KITTI2012,
    KITTI2015,
    FlyingChairs,
    FlyingThings3D,
    Sintel,
)
from .frame_pairs import FramePairs

__all__ = [
    'HD1K',
    'KITTI2012',
    'KITTI2015',
    'BadSampleError',
    'BadSampleGuard',
    'EmbeddedImages',
    'EmbeddedPairs',
    'EmbeddedWorld',
    'FlyingChairs',
    'FlyingThings3D',
    'FramePairs',
    'Sintel',
    'TooManyBadSamplesError',
]
