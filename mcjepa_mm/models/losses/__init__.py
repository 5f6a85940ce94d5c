"""Losses as pure functions and registered modules."""

from mcjepa_mm.utils.renamed import old_names

from .distributed import gather_with_grad
from .feature import CycleLoss, FeatureRegressionLoss, feature_distance
from .masked import masked_mean
from .photometric import (
    PhotometricLoss,
    census_distance,
    census_loss,
    photometric_loss,
    ssim_distance,
)
from .self_supervision import SelfSupervisionLoss, flow_distance
from .slowness import SlownessLoss, slowness_loss
from .smoothness import SmoothnessLoss, smoothness_loss
from .variance_covariance import FeatureVCLoss, sample_positions
from .vicreg import (
    VICRegLoss,
    covariance_loss,
    invariance_loss,
    variance_loss,
)

__all__ = [
    'CycleLoss',
    'FeatureRegressionLoss',
    'FeatureVCLoss',
    'PhotometricLoss',
    'SelfSupervisionLoss',
    'SlownessLoss',
    'SmoothnessLoss',
    'VICRegLoss',
    'census_distance',
    'census_loss',
    'covariance_loss',
    'feature_distance',
    'flow_distance',
    'gather_with_grad',
    'invariance_loss',
    'masked_mean',
    'photometric_loss',
    'sample_positions',
    'slowness_loss',
    'smoothness_loss',
    'ssim_distance',
    'variance_loss',
]

__getattr__ = old_names(
    __name__,
    {
        'covariance': covariance_loss,
        'invariance': invariance_loss,
        'variance': variance_loss,
    },
)
