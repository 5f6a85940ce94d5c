"""Measures as pure functions of tensors or arrays."""

from mcjepa_mm.models.knn import centred_knn_votes, knn_accuracy, knn_votes

from .boundary_measure import boundary_measure
from .collapse import (
    constant_share,
    embedding_std,
    rank_me,
    rms_correlation,
)
from .endpoint_error import endpoint_error, endpoint_error_map
from .flow_outliers import flow_outliers
from .mean_iou import class_areas, mean_iou
from .object_scores import object_scores
from .region_similarity import region_similarity
from .ridge import (
    RidgeMoments,
    choose_ridge_strength,
    ridge_classifier,
    ridge_moments,
)
from .sequence_statistics import sequence_statistics

__all__ = [
    'RidgeMoments',
    'boundary_measure',
    'centred_knn_votes',
    'choose_ridge_strength',
    'class_areas',
    'constant_share',
    'embedding_std',
    'endpoint_error',
    'endpoint_error_map',
    'flow_outliers',
    'knn_accuracy',
    'knn_votes',
    'mean_iou',
    'object_scores',
    'rank_me',
    'region_similarity',
    'ridge_classifier',
    'ridge_moments',
    'rms_correlation',
    'sequence_statistics',
]
