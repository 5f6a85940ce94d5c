"""Measures as mmengine metrics."""

from .embedding_quality import EmbeddingQuality
from .flow_epe import FlowEPE
from .flow_submission import FlowSubmission
from .kitti_flow import KITTIFlowMetric
from .sintel_flow import SintelFlowMetric

__all__ = [
    'EmbeddingQuality',
    'FlowEPE',
    'FlowSubmission',
    'KITTIFlowMetric',
    'SintelFlowMetric',
]
