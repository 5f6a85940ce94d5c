"""Transforms of images and of frame pairs."""

from .flow_loading import LoadFlowAnnotations, LoadFlowPair, PackFlow
from .image_loading import LoadImageStrict, read_image
from .pack_views import PackViews
from .pair_transforms import (
    RandomCropPair,
    RandomFlipPair,
    ResizePair,
)

__all__ = [
    'LoadFlowAnnotations',
    'LoadFlowPair',
    'LoadImageStrict',
    'PackFlow',
    'PackViews',
    'RandomCropPair',
    'RandomFlipPair',
    'ResizePair',
    'read_image',
]
