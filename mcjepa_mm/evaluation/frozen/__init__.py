"""Evaluation of frozen features on folders of real data.

Nothing is trained by steps: neighbours, and regressions in closed form.
"""

from .classification import classify_folders
from .encoder import FrozenEncoder
from .flow import measure_flow
from .propagation import measure_propagation
from .segmentation import segment_folder

__all__ = [
    'FrozenEncoder',
    'classify_folders',
    'measure_flow',
    'measure_propagation',
    'segment_folder',
]
