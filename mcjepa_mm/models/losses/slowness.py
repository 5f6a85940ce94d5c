"""Slowness: of all motions that explain the frames the shortest."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from ..precision import full_precision


@full_precision
def slowness_loss(flow: Tensor) -> Tensor:
    r"""Length of a flow's components, in shares of the shorter side.

    .. math:: \operatorname{mean} |f| \,/\, \min(H, W)

    With :func:`smoothness_loss` it is the prior of slow and smooth motion
    (Weiss, Simoncelli and Adelson, Nature Neuroscience 2002).

    Args:
        flow (Tensor): (N, 2, H, W) in pixels of its own level.

    Returns:
        Tensor: Scalar.
    """
    return flow.abs().mean() / min(flow.shape[-2:])


@MODELS.register_module()
class SlownessLoss(nn.Module):
    """:func:`slowness_loss` of every level's flow, summed.

    Not in the paper. Where frames say nothing of a motion, because a surface
    has no texture or one too fine for a level, the photometric loss lets a
    level answer anything; this lets it answer zero (I).

    Args:
        loss_weight (float): Weight. Defaults to 0.1.
    """

    def __init__(self, loss_weight: float = 0.1) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, flows: Sequence[Tensor]) -> Tensor:
        """The weighted sum over the flows of the levels."""
        lengths = torch.stack([slowness_loss(flow) for flow in flows])
        return self.loss_weight * lengths.sum()
