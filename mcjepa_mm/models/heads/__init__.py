from .base_pretext_head import BasePretextHead, fill_in
from .dense_vicreg_head import DenseVICReg, DenseVICRegHead
from .distillation_head import DistillationHead
from .flow_head import FlowHead
from .knn_head import KNNHead
from .propagation_head import PropagationHead
from .vicreg_head import VICRegHead

__all__ = [
    'BasePretextHead',
    'DenseVICReg',
    'DenseVICRegHead',
    'DistillationHead',
    'FlowHead',
    'KNNHead',
    'PropagationHead',
    'VICRegHead',
    'fill_in',
]
