"""Metrics, and the functions behind them."""

from .metrics import (
    DAVISMetric,
    EmbeddingQuality,
    FlowEPE,
    FlowSubmission,
    KITTI2012FlowMetric,
    KITTIFlowMetric,
    ObjectMaskWriter,
    SintelFlowMetric,
)

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
