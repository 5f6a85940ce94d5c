"""Export of checkpoints and graphs to other libraries."""

from .convert_keys import Conversion, convert_keys
from .export import export
from .plain_checkpoint import plain_checkpoint
from .publish import publish
from .stem_fitting import StemFit, fit_stem

__all__ = [
    'Conversion',
    'StemFit',
    'convert_keys',
    'export',
    'fit_stem',
    'plain_checkpoint',
    'publish',
]
