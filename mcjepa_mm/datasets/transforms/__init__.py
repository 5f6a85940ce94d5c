"""Transforms of images and of frame pairs."""

from .color_jitter import ColorJitterFastHue
from .flow_loading import LoadFlowAnnotations, LoadFlowPair, PackFlow
from .image_loading import LoadImageStrict, read_image
from .pack_views import PackViews
from .pair_transforms import (
    RandomCameraPair,
    RandomCropPair,
    RandomFlipPair,
    ResizePair,
    TransformEachFrame,
)
from .video_frames import (
    LoadObjectMask,
    LoadVideoFrame,
    PackVideoFrame,
    ResizeShortSide,
)

__all__ = [
    'ColorJitterFastHue',
    'LoadFlowAnnotations',
    'LoadFlowPair',
    'LoadImageStrict',
    'LoadObjectMask',
    'LoadVideoFrame',
    'PackFlow',
    'PackVideoFrame',
    'PackViews',
    'RandomCameraPair',
    'RandomCropPair',
    'RandomFlipPair',
    'ResizePair',
    'ResizeShortSide',
    'TransformEachFrame',
    'read_image',
]
