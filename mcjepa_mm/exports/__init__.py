"""Checkpoints for others: the trained encoder, and old ones made plain."""

from .convert_keys import Conversion, convert_keys
from .plain_checkpoint import plain_checkpoint
from .publish import publish

__all__ = ['Conversion', 'convert_keys', 'plain_checkpoint', 'publish']
