"""Measures as pure functions of tensors or arrays."""

from mcjepa_mm.models.knn import centred_knn_votes, knn_accuracy, knn_votes

from .collapse import (
    constant_share,
    embedding_std,
    rank_me,
    rms_correlation,
)
from .davis import (
    boundary_measure,
    object_scores,
    region_similarity,
    sequence_statistics,
)
from .flow import endpoint_error, endpoint_error_map, flow_outliers
from .mean_iou import class_areas, mean_iou
from .ridge import (
    RidgeMoments,
    choose_ridge_strength,
    ridge_classifier,
    ridge_moments,
)

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
