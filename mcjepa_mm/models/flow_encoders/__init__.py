"""Adapters between backbones and mmflow's encoders."""

from .flow_encoder_backbone import FlowEncoderBackbone
from .map_encoder import MapEncoder
from .pyramid_encoder import PyramidEncoder

__all__ = ['FlowEncoderBackbone', 'MapEncoder', 'PyramidEncoder']
