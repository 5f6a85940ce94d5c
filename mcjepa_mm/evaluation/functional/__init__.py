"""Measures as pure functions of tensors."""

from .collapse import embedding_std, rank_me
from .endpoint_error import endpoint_error, endpoint_error_map
from .flow_outliers import flow_outliers
from .knn import knn_accuracy, knn_votes

__all__ = [
    'embedding_std',
    'endpoint_error',
    'endpoint_error_map',
    'flow_outliers',
    'knn_accuracy',
    'knn_votes',
    'rank_me',
]
