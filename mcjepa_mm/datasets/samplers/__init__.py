"""Which process reads which samples, and in which order."""

from .fixed_length_sampler import FixedLengthSampler
from .sequence_sampler import SequenceSampler

__all__ = ['FixedLengthSampler', 'SequenceSampler']
