"""Export of checkpoints and graphs to other libraries."""

from .convert_keys import Conversion, convert_keys
from .export import export
from .plain_checkpoint import plain_checkpoint
from .publish import publish

__all__ = [
    'Conversion',
    'convert_keys',
    'export',
    'plain_checkpoint',
    'publish',
]
