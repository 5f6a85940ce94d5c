"""Inferencers and reports on files and arrays."""

from mcjepa_mm.utils.renamed import old_names

from .embedder import Embedder
from .embedding_files import embed
from .feature_maps import draw_feature_maps
from .flow_inferencer import FlowInferencer
from .segmentation import Segmentor, draw_segmentations
from .vos_inferencer import VOSInferencer, propagate_masks

__all__ = [
    'Embedder',
    'FlowInferencer',
    'Segmentor',
    'VOSInferencer',
    'draw_feature_maps',
    'draw_segmentations',
    'embed',
    'propagate_masks',
]

__getattr__ = old_names(
    __name__,
    {'ObjectFollower': VOSInferencer, 'follow_objects': propagate_masks},
)
