from .affinity import propagate_labels, tile_side
from .feature_grid import feature_grid
from .label_maps import labels_to_mask, mask_to_labels
from .label_propagation import LabelPropagation
from .propagator import LabelPropagator

__all__ = [
    'LabelPropagation',
    'LabelPropagator',
    'feature_grid',
    'labels_to_mask',
    'mask_to_labels',
    'propagate_labels',
    'tile_side',
]
