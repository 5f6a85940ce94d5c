"""L_reg and L_cycle: losses between feature maps and warped ones."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from ..precision import full_precision
from .masked import mask_sums, masked_mean


@full_precision
def feature_distance(
    feat: Tensor,
    other: Tensor,
    mask: Tensor,
    mask_sum: Tensor | None = None,
) -> Tensor:
    """Mean squared difference of two feature maps where visible.

    The mean is over channels, pixels and images, so that a level's size does
    not weigh it; the paper says squared error and no more (?). Both sides get
    their gradient: nothing in the paper stops it, and L_vc is what keeps the
    features from collapsing.

    Args:
        feat (Tensor): (N, C, H, W).
        other (Tensor): (N, C, H, W), warped onto the grid of ``feat``.
        mask (Tensor): (N, 1, H, W), 1 where visible.
        mask_sum (Tensor, optional): See :func:`masked_mean`.

    Returns:
        Tensor: Scalar.

    Raises:
        ValueError: If the shapes differ.
    """
    if feat.shape != other.shape:
        raise ValueError(
            'two feature maps of one shape are compared, got '
            f'{tuple(feat.shape)} and {tuple(other.shape)}'
        )
    return masked_mean((feat - other) ** 2, mask, mask_sum)


@MODELS.register_module()
class FeatureRegressionLoss(nn.Module):
    """L_reg: :func:`feature_distance` summed over the pyramid (P).

    Args:
        loss_weight (float): Weight (1 T). Defaults to 1.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self, levels: Sequence[tuple[Tensor, Tensor, Tensor]]
    ) -> Tensor:
        """The weighted sum over levels.

        Args:
            levels (Sequence[tuple]): Per level, the feature of frame t
                (N, C, H, W), the feature of frame t + 1 warped to t, and the
                mask (N, 1, H, W), 1 where visible.

        Returns:
            Tensor: Scalar.

        Raises:
            ValueError: If there is no level.
        """
        if not levels:
            raise ValueError(
                'at least one level must be compared, got none: '
                'give the (feature, warped, mask) of each level'
            )
        # half precision is too coarse to count pixels in
        dtype = torch.promote_types(levels[0][0].dtype, torch.float32)
        sums = mask_sums([mask for *_, mask in levels], dtype)
        return self.loss_weight * sum(
            feature_distance(*level, mask_sum)
            for level, mask_sum in zip(levels, sums)
        )


@MODELS.register_module()
class CycleLoss(FeatureRegressionLoss):
    """L_cycle: the same of features warped forward and back (P).

    The weight is 0.2 (T); results are sensitive to it (p).
    """

    def __init__(self, loss_weight: float = 0.2) -> None:
        super().__init__(loss_weight)
