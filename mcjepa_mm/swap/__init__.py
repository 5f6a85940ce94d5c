"""Other projects' configs with MC-JEPA's encoder as their backbone."""

from .errors import SwapError
from .swap import SwapReport, swap_backbone

__all__ = ['SwapError', 'SwapReport', 'swap_backbone']
