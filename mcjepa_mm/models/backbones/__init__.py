from .mcjepa_convnext import MCJEPAConvNeXt

__all__ = ['MCJEPAConvNeXt']
