"""From files and arrays to results, in the form of mmpretrain's ``apis``."""

from .flow_inferencer import FlowInferencer

__all__ = ['FlowInferencer']
