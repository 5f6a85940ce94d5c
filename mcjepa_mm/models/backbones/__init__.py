from .convnext import MCJEPAConvNeXt

__all__ = ['MCJEPAConvNeXt']
