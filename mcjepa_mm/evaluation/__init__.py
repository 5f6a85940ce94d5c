"""What is measured: metrics and the functions behind them."""

from .metrics import EmbeddingQuality, FlowEPE

__all__ = ['EmbeddingQuality', 'FlowEPE']
