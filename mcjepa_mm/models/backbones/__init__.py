from .convnext import MCJEPAConvNeXt
from .trained import TrainedBackbone, read_backbone

__all__ = ['MCJEPAConvNeXt', 'TrainedBackbone', 'read_backbone']
