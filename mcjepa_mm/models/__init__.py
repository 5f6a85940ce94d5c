"""Models: the encoder, the pretext heads and their users.

A step of the pretraining is :class:`MultiTaskPretrainer`; it asks the encoder
``backbones/`` for maps and each of its ``heads/`` for a loss of them, the
motion task's by the geometry of ``flow/``; ``losses/`` has the formulas.

Choices and numbers bear the mark of their source:

==== ====================================================================
P    the paper, arXiv 2307.12698: two independent readings agree
p    the paper, by one reading
T    a third party's re-implementation, whose numbers look like the paper's
I    inferred or computed here
?    open: chosen here, and an option
==== ====================================================================
"""

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
