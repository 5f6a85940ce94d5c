"""Export of checkpoints and graphs to other libraries."""

from mcjepa_mm.apis.convert_keys import Conversion, convert_keys
from mcjepa_mm.apis.stem_fitting import StemFit, fit_stem

from .export import export
from .plain_checkpoint import plain_checkpoint
from .publish import publish

__all__ = [
    'Conversion',
    'StemFit',
    'convert_keys',
    'export',
    'fit_stem',
    'plain_checkpoint',
    'publish',
]
