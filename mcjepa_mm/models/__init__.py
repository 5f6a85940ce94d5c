from .backbones import *  # noqa: F403
from .flow import FlowDecoder
from .flow_encoders import *  # noqa: F403
from .flow_estimators import *  # noqa: F403
from .heads import *  # noqa: F403
from .losses import *  # noqa: F403
from .necks import *  # noqa: F403
from .pretrainers import *  # noqa: F403
from .propagation import LabelPropagation

__all__ = ['FlowDecoder', 'LabelPropagation']
