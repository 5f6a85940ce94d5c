"""L_smooth: edge-aware smoothness of flow."""

import torch
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from ..precision import full_precision


def _smoothness_along(
    flow: Tensor, image: Tensor, dim: int, order: int, edge: float
) -> Tensor:
    length = image.shape[dim] - order
    step = image.narrow(dim, order, length) - image.narrow(dim, 0, length)
    weight = torch.exp(-edge * step.abs().mean(1, keepdim=True))
    return (weight * flow.diff(n=order, dim=dim).abs()).mean()


@full_precision
def smoothness_loss(
    flow: Tensor,
    image: Tensor,
    *,
    order: int = 2,
    edge: float = 10.0,
    normalize: bool = True,
) -> Tensor:
    r"""Edge-aware smoothness of a flow field.

    .. math::
        \tfrac12 \sum_{a \in \{x, y\}} \operatorname{mean}\left(
        e^{-edge\, |\Delta_a I|}\, |\partial_a^{order} f| \right)

    :math:`|\Delta_a I|` is the mean over channels of the image's difference
    between the first and the last pixel of the flow's stencil (neighbours for
    order 1, two pixels apart for order 2, as in UFlow), so a step on either
    side of the centre counts and the loss does not change when everything is
    mirrored. ARFlow looks at one of the two sides.

    Args:
        flow (Tensor): (N, 2, H, W) in pixels of its own level.
        image (Tensor): (N, C, H, W) in [0, 1], the frame on whose grid the
            flow lies.
        order (int): 1 (constant flow is free) or 2 (linear flow is free).
            The paper gives none (?); T and ARFlow's KITTI recipe use 2.
            Defaults to 2.
        edge (float): Edge constant. 10 T. UFlow's 150 does not carry over:
            there it stands in :math:`\exp(-\overline{(150 \Delta_a I)^2})`,
            so that a step of 0.02 weighs 0.0001, and 0.05 here. Defaults to
            10.
        normalize (bool): Divide the flow by min(H, W) first, as ARFlow does;
            the paper's weight of 75 only fits then (I). Defaults to True.

    Returns:
        Tensor: Scalar.

    Raises:
        ValueError: If the order is unknown, the sizes differ or the flow is
            too small for the order.
    """
    if order not in (1, 2):
        raise ValueError(f'the smoothness order must be 1 or 2, got {order}')
    size = flow.shape[-2:]
    if image.shape[-2:] != size or len(image) != len(flow):
        raise ValueError(
            f"the image must have the flow's batch and size, got image "
            f'{tuple(image.shape)} for flow {tuple(flow.shape)}: resize the '
            'image first'
        )
    if min(size) <= order:
        raise ValueError(
            f'smoothness of order {order} needs a flow of at least '
            f'{order + 1} x {order + 1} pixels, got {tuple(size)}: use larger '
            'frames or a finer last level'
        )
    if normalize:
        flow = flow / min(size)
    return (
        _smoothness_along(flow, image, -1, order, edge)
        + _smoothness_along(flow, image, -2, order, edge)
    ) / 2


@MODELS.register_module()
class SmoothnessLoss(nn.Module):
    """:func:`smoothness_loss`, with its arguments, times ``loss_weight``.

    Args:
        loss_weight (float): Weight. The paper's is 75 (T), for a flow at the
            size of the image, as in ARFlow: a second difference grows with
            the square of the pixel's size, so the same weight at stride 2
            counts 3.4 times. Small images want far less (I). Defaults to 75.
    """

    def __init__(
        self,
        order: int = 2,
        edge: float = 10.0,
        normalize: bool = True,
        loss_weight: float = 75.0,
    ) -> None:
        super().__init__()
        self.order = order
        self.edge = edge
        self.normalize = normalize
        self.loss_weight = loss_weight

    def forward(self, flow: Tensor, image: Tensor) -> Tensor:
        """The weighted smoothness, see :func:`smoothness_loss`."""
        return self.loss_weight * smoothness_loss(
            flow,
            image,
            order=self.order,
            edge=self.edge,
            normalize=self.normalize,
        )
