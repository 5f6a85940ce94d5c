from mcjepa_mm.utils.renamed import old_names

from .backbone_checkpoint import BackboneCheckpoint, read_backbone
from .convnext import MCJEPAConvNeXt
from .split_stem import SplitStem
from .timm_feature_maps import TIMMFeatureMaps

__all__ = [
    'BackboneCheckpoint',
    'MCJEPAConvNeXt',
    'SplitStem',
    'TIMMFeatureMaps',
    'read_backbone',
]

__getattr__ = old_names(__name__, {'TrainedBackbone': BackboneCheckpoint})
