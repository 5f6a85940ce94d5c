"""Which process reads which samples, and in which order."""

from .sequence_sampler import SequenceSampler

__all__ = ['SequenceSampler']
