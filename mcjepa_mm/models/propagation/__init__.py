from .affinity import propagate_labels, tile_side
from .cell_features import CellFeatures
from .feature_grid import cell_features, feature_grid
from .feature_reader import ColorReader, FeatureReader
from .label_maps import labels_to_mask, mask_to_labels
from .label_propagation import LabelPropagation
from .propagator import LabelPropagator
from .whitening import Whitening, read_whitening, whitening, write_whitening

__all__ = [
    'CellFeatures',
    'ColorReader',
    'FeatureReader',
    'LabelPropagation',
    'LabelPropagator',
    'Whitening',
    'cell_features',
    'feature_grid',
    'labels_to_mask',
    'mask_to_labels',
    'propagate_labels',
    'read_whitening',
    'tile_side',
    'whitening',
    'write_whitening',
]
