from .base_pretext_head import BasePretextHead, fill_in
from .dense_vicreg_head import DenseVICReg, DenseVICRegHead
from .flow_head import FlowHead
from .knn_head import KNNHead
from .propagation_head import PropagationHead
from .vicreg_head import VICRegHead

__all__ = [
    'BasePretextHead',
    'DenseVICReg',
    'DenseVICRegHead',
    'FlowHead',
    'KNNHead',
    'PropagationHead',
    'VICRegHead',
    'fill_in',
]
