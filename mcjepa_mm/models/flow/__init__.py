from .cost_volume import cost_volume
from .flow_decoder import FlowDecoder, median_filter, propagate_flow
from .occlusion import forward_backward_visibility, range_map_visibility
from .warp import inside, resize_flow, target_coordinates, warp

__all__ = [
    'FlowDecoder',
    'cost_volume',
    'forward_backward_visibility',
    'inside',
    'median_filter',
    'propagate_flow',
    'range_map_visibility',
    'resize_flow',
    'target_coordinates',
    'warp',
]
