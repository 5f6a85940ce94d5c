"""Measures as mmengine metrics."""

from .embedding_quality import EmbeddingQuality
from .flow_epe import FlowEPE

__all__ = ['EmbeddingQuality', 'FlowEPE']
