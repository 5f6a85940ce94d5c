"""Self-supervision of flow: a student on crops of the teacher's frames."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.dist import get_world_size
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from ..flow import resize_flow
from ..precision import full_precision
from .distributed import broadcast_from_rank0, global_indices
from .masked import masked_mean

# Indices of rows (h, 1) and of columns (w,).
Window = tuple[Tensor, Tensor]


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
class SelfSupervisionLoss(nn.Module):
    """Loss of a crop's flow against the flow of the whole frames.

    Near a frame's border the whole frames show where things go and the crop
    does not, so the crop learns to continue motion past the border (DDFlow;
    UFlow, arXiv 2006.04902, section 3; from half of the training on, with a
    ramp). Teacher and student are one network; the teacher has no gradient.
    The crop is zoomed to the frame's size and its light and noise are
    disturbed. A pixel counts where the teacher sees a counterpart and the
    student does not.

    The mean is over these pixels and both components. UFlow (weight 0.6) and
    SMURF (0.3) sum the components and divide by all pixels: where a share s
    of the pixels counts, their weight w is 2 s w here.

    Args:
        border (int): Pixels that the crop is smaller on each side, on
            average; its place is random. UFlow has 64 on frames of several
            hundred. Defaults to 16.
        light (float): Standard deviation of the change of brightness and of
            contrast, in units of the normalised frames. Defaults to 0.1.
        noise (float): Standard deviation of each pixel's noise. Defaults to
            0.03.
        loss_weight (float): Weight; 0 leaves the term out. Defaults to 0.3.
    """

    def __init__(
        self,
        border: int = 16,
        light: float = 0.1,
        noise: float = 0.03,
        loss_weight: float = 0.3,
    ) -> None:
        super().__init__()
        self.border = border
        self.light = light
        self.noise = noise
        self.loss_weight = loss_weight

    def views(self, inputs: Tensor) -> tuple[Tensor, Window]:
        """Crop and disturb the student's frames.

        Process 0 draws for the samples of all processes, so that a sample is
        disturbed in the same way whatever their number.

        Args:
            inputs (Tensor): (N, V, 3, H, W), normalised.

        Returns:
            tuple: Frames of the same shape, and the window: which rows and
            columns of ``inputs`` they show.

        Raises:
            ValueError: If the border leaves nothing of the frames.
        """
        size = tuple(inputs.shape[-2:])
        if 2 * self.border >= min(size):
            raise ValueError(
                f'A crop that is {2 * self.border} pixels smaller than frames '
                f'of {size[0]} x {size[1]} is empty. Lower `border`.'
            )
        # One window for the batch: flow is then cropped by one index. It
        # stays on the device, where the host need not wait for process 0.
        device = inputs.device
        first = broadcast_from_rank0(
            torch.randint(2 * self.border + 1, (2,), device=device)
        )
        rows, columns = (
            a + torch.arange(side - 2 * self.border, device=device)
            for a, side in zip(first.unbind(), size)
        )
        window = rows[:, None], columns
        views = F.interpolate(
            inputs[(..., *window)].flatten(0, 1),
            size=size,
            mode='bilinear',
            align_corners=False,
        ).view_as(inputs)
        light = self.light * self._normal((2, 1, 1, 1, 1), inputs)
        contrast, brightness = light.unbind(1)
        views = views * (1 + contrast) + brightness
        noise = self._normal(inputs.shape[1:], inputs)
        return views + self.noise * noise, window

    @staticmethod
    def _normal(shape: Sequence[int], inputs: Tensor) -> Tensor:
        """Draw normal numbers for each sample, (N, *shape)."""
        drawn = broadcast_from_rank0(
            torch.randn(
                len(inputs) * get_world_size(), *shape, device=inputs.device
            )
        )
        return drawn[global_indices(len(inputs), inputs.device)]

    def forward(
        self,
        flow: Tensor,
        visible: Tensor,
        teacher: Tensor,
        teacher_visible: Tensor,
        window: Window,
    ) -> Tensor:
        """The weighted distance of the student's flow to the teacher's.

        Args:
            flow (Tensor): (M, 2, H, W), of the views, pixels.
            visible (Tensor): (M, 1, H, W), what the student sees twice.
            teacher (Tensor): (M, 2, H, W), of the whole frames, pixels.
            teacher_visible (Tensor): (M, 1, H, W).
            window (tuple[Tensor]): What the views show of the frames.

        Returns:
            Tensor: Scalar.
        """
        size = flow.shape[-2:]
        target = resize_flow(teacher[(..., *window)], size)
        sure = F.interpolate(
            teacher_visible[(..., *window)], size=size, mode='nearest'
        )
        return self.loss_weight * flow_distance(
            flow, target, sure * (1 - visible)
        )
