from .layer_decay import LayerDecayOptimWrapperConstructor
from .mixed_precision import MixedPrecisionOptimWrapper

__all__ = ['LayerDecayOptimWrapperConstructor', 'MixedPrecisionOptimWrapper']
