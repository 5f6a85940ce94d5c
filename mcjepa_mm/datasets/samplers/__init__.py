"""Samplers for epochs of fixed length and for whole sequences."""

from .fixed_length_sampler import FixedLengthSampler
from .sequence_sampler import SequenceSampler

__all__ = ['FixedLengthSampler', 'SequenceSampler']
