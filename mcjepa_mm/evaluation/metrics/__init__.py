"""Measures as mmengine metrics."""

from .davis_metric import DAVISMetric
from .embedding_quality import EmbeddingQuality
from .flow_metrics import (
    FlowEPE,
    KITTI2012FlowMetric,
    KITTIFlowMetric,
    SintelFlowMetric,
)
from .flow_submission import FlowSubmission
from .object_mask_writer import ObjectMaskWriter

__all__ = [
    'DAVISMetric',
    'EmbeddingQuality',
    'FlowEPE',
    'FlowSubmission',
    'KITTI2012FlowMetric',
    'KITTIFlowMetric',
    'ObjectMaskWriter',
    'SintelFlowMetric',
]
