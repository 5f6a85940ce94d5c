from .mcjepa_flow import MCJEPAFlow

__all__ = ['MCJEPAFlow']
