"""The trained encoder for others: to download, and for other libraries."""

from .convert_keys import Conversion, convert_keys
from .publish import publish

__all__ = ['Conversion', 'convert_keys', 'publish']
