from .convnext import MCJEPAConvNeXt
from .split_stem import SplitStem
from .trained import TrainedBackbone, read_backbone

__all__ = ['MCJEPAConvNeXt', 'SplitStem', 'TrainedBackbone', 'read_backbone']
