"""Encoders of this package in mmflow's models, and the other way round."""

from .flow_encoder_backbone import FlowEncoderBackbone
from .map_encoder import MapEncoder
from .pyramid_encoder import PyramidEncoder

__all__ = ['FlowEncoderBackbone', 'MapEncoder', 'PyramidEncoder']
