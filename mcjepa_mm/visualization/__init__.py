"""Pictures of flow, features, objects and pretraining."""

from .feature_color import features_to_rgb
from .flow_color import flow_legend, flow_to_rgb
from .object_overlay import draw_objects
from .pretraining_sheet import draw_pretraining_sheet

__all__ = [
    'draw_objects',
    'draw_pretraining_sheet',
    'features_to_rgb',
    'flow_legend',
    'flow_to_rgb',
]
