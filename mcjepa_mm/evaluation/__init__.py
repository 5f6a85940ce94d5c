"""What is measured: metrics and the functions behind them."""

from .metrics import (
    DAVISMetric,
    EmbeddingQuality,
    FlowEPE,
    FlowSubmission,
    KITTIFlowMetric,
    ObjectMaskWriter,
    SintelFlowMetric,
)

__all__ = [
    'DAVISMetric',
    'EmbeddingQuality',
    'FlowEPE',
    'FlowSubmission',
    'KITTIFlowMetric',
    'ObjectMaskWriter',
    'SintelFlowMetric',
]
