"""Losses: pure functions and the registered modules around them."""

from .census import census_distance, census_loss
from .feature import CycleLoss, FeatureRegressionLoss, feature_distance
from .gather import gather_with_grad
from .masked import masked_mean
from .photometric import PhotometricLoss, photometric_loss, ssim_distance
from .self_supervision import SelfSupervisionLoss, flow_distance
from .smoothness import SmoothnessLoss, smoothness_loss
from .variance_covariance import FeatureVCLoss, sample_positions
from .vicreg import VICRegLoss, covariance, invariance, variance

__all__ = [
    'CycleLoss',
    'FeatureRegressionLoss',
    'FeatureVCLoss',
    'PhotometricLoss',
    'SelfSupervisionLoss',
    'SmoothnessLoss',
    'VICRegLoss',
    'census_distance',
    'census_loss',
    'covariance',
    'feature_distance',
    'flow_distance',
    'gather_with_grad',
    'invariance',
    'masked_mean',
    'photometric_loss',
    'sample_positions',
    'smoothness_loss',
    'ssim_distance',
    'variance',
]
