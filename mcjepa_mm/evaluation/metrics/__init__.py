"""Measures as mmengine metrics."""

from .davis_metric import DAVISMetric
from .embedding_quality import EmbeddingQuality
from .flow_epe import FlowEPE
from .flow_submission import FlowSubmission
from .kitti2012_flow import KITTI2012FlowMetric
from .kitti_flow import KITTIFlowMetric
from .object_mask_writer import ObjectMaskWriter
from .sintel_flow import SintelFlowMetric

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
