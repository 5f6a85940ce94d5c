from .base_pretext_head import BasePretextHead, fill_in
from .flow_head import FlowHead
from .knn_head import KNNHead
from .propagation_head import PropagationHead
from .vicreg_head import VICRegHead

__all__ = [
    'BasePretextHead',
    'FlowHead',
    'KNNHead',
    'PropagationHead',
    'VICRegHead',
    'fill_in',
]
