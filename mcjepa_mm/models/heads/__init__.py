from .base_pretext_head import BasePretextHead
from .dense_vicreg_head import DenseVICRegHead
from .flow_head import FlowHead
from .knn_head import KNNHead
from .propagation_head import PropagationHead
from .vicreg_head import VICRegHead

__all__ = [
    'BasePretextHead',
    'DenseVICRegHead',
    'FlowHead',
    'KNNHead',
    'PropagationHead',
    'VICRegHead',
]
