"""From files and arrays to results, in the form of mmpretrain's ``apis``."""

from .feature_maps import draw_feature_maps
from .flow_inferencer import FlowInferencer
from .segmentation import Segmentor, draw_segmentations

__all__ = [
    'FlowInferencer',
    'Segmentor',
    'draw_feature_maps',
    'draw_segmentations',
]
