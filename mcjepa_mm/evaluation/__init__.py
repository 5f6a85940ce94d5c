"""What is measured: metrics and the functions behind them."""

from .metrics import (
    EmbeddingQuality,
    FlowEPE,
    FlowSubmission,
    KITTIFlowMetric,
    SintelFlowMetric,
)

__all__ = [
    'EmbeddingQuality',
    'FlowEPE',
    'FlowSubmission',
    'KITTIFlowMetric',
    'SintelFlowMetric',
]
