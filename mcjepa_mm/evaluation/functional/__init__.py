"""Measures as pure functions of tensors or arrays."""

from .boundary_measure import boundary_measure
from .collapse import (
    constant_share,
    embedding_std,
    rank_me,
    rms_correlation,
)
from .endpoint_error import endpoint_error, endpoint_error_map
from .flow_outliers import flow_outliers
from .knn import knn_accuracy, knn_votes
from .object_scores import object_scores
from .region_similarity import region_similarity
from .sequence_statistics import sequence_statistics

__all__ = [
    'boundary_measure',
    'constant_share',
    'embedding_std',
    'endpoint_error',
    'endpoint_error_map',
    'flow_outliers',
    'knn_accuracy',
    'knn_votes',
    'object_scores',
    'rank_me',
    'region_similarity',
    'rms_correlation',
    'sequence_statistics',
]
