"""Replace the backbone of other projects' configs by MC-JEPA's encoder."""

from .measure import SwapError
from .swap import SwapReport, swap_backbone

__all__ = ['SwapError', 'SwapReport', 'swap_backbone']
