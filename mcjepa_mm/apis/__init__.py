"""From files and arrays to results, in the form of mmpretrain's ``apis``."""

from .feature_maps import draw_feature_maps
from .flow_inferencer import FlowInferencer
from .segmentation import Segmentor, draw_segmentations
from .video_objects import ObjectFollower, follow_objects

__all__ = [
    'FlowInferencer',
    'ObjectFollower',
    'Segmentor',
    'draw_feature_maps',
    'draw_segmentations',
    'follow_objects',
]
