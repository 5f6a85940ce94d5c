"""One flow against another that is taken for the better one."""

from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from .masked import masked_mean
from .precision import full_precision


@full_precision
def flow_distance(
    flow: Tensor, target: Tensor, mask: Tensor, eps: float = 1e-3
) -> Tensor:
    r"""Charbonnier distance of two flows, mean over the masked pixels.

    .. math:: \sqrt{d^2 + \epsilon^2}

    for each component d of the difference (UFlow's, arXiv 2006.04902). The
    target has no gradient.

    Args:
        flow (Tensor): (N, 2, H, W), pixels.
        target (Tensor): (N, 2, H, W), pixels.
        mask (Tensor): (N, 1, H, W), weight of each pixel.
        eps (float): Rounds the corner at 0, pixels. Defaults to 0.001.

    Returns:
        Tensor: Scalar, pixels; 0 where nothing is masked in.

    Raises:
        ValueError: If the shapes do not fit.
    """
    if flow.shape != target.shape:
        raise ValueError(
            'two flows of one shape are compared, got '
            f'{tuple(flow.shape)} and {tuple(target.shape)}'
        )
    difference = flow - target.detach()
    return masked_mean((difference**2 + eps**2).sqrt(), mask)


@MODELS.register_module()
class FlowConsistencyLoss(nn.Module):
    """:func:`flow_distance` with a weight.

    Args:
        loss_weight (float): Weight. Defaults to 1.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, flow: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """The weighted distance.

        Args:
            flow (Tensor): (N, 2, H, W), pixels.
            target (Tensor): (N, 2, H, W), pixels; has no gradient.
            mask (Tensor): (N, 1, H, W), weight of each pixel.

        Returns:
            Tensor: Scalar.
        """
        return self.loss_weight * flow_distance(flow, target, mask)
