"""The motion task's losses as their formulas are commonly written down.

Maps and masks come as lists: one entry a direction.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def masked_mean(errors: Sequence[Tensor], masks: Sequence[Tensor]) -> Tensor:
    """Mean over channels and the visible pixels of both directions."""
    total = sum((e * m).sum() for e, m in zip(errors, masks))
    return total / (errors[0].shape[1] * sum(m.sum() for m in masks))


class SSIM(nn.Module):
    """(1 - SSIM) / 2 of a 3 x 3 box, as in self-supervised depth."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.mean = nn.AvgPool2d(3, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, 3, H, W) twice to (N, 3, H, W)."""
        x, y = self.pad(x), self.pad(y)
        mean_x, mean_y = self.mean(x), self.mean(y)
        var_x = self.mean(x**2) - mean_x**2
        var_y = self.mean(y**2) - mean_y**2
        cov = self.mean(x * y) - mean_x * mean_y
        c1, c2 = 0.01**2, 0.03**2
        ssim = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
        ssim = ssim / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
        return (1 - ssim) / 2


def smoothness(flow: Tensor, image: Tensor, edge: float = 10.0) -> Tensor:
    """Edge-aware second-order smoothness of the normalised flow."""
    flow = flow / min(flow.shape[-2:])
    step_x = (image[..., 2:] - image[..., :-2]).abs().mean(1, keepdim=True)
    step_y = (image[..., 2:, :] - image[..., :-2, :]).abs()
    step_y = step_y.mean(1, keepdim=True)
    bend_x = flow[..., 2:] - 2 * flow[..., 1:-1] + flow[..., :-2]
    bend_y = flow[..., 2:, :] - 2 * flow[..., 1:-1, :] + flow[..., :-2, :]
    along_x = (torch.exp(-edge * step_x) * bend_x.abs()).mean()
    along_y = (torch.exp(-edge * step_y) * bend_y.abs()).mean()
    return (along_x + along_y) / 2


@torch.no_grad()
def visibility(flow: Tensor, returned: Tensor) -> Tensor:
    """1 where the way there and back ends where it began, in the frame.

    Args:
        flow (Tensor): (N, 2, H, W), pixels.
        returned (Tensor): (N, 2, H, W), the flow back, warped by ``flow``.

    Returns:
        Tensor: (N, 1, H, W).
    """
    h, w = flow.shape[-2:]
    gap = ((flow + returned) ** 2).sum(1, keepdim=True)
    motion = (flow**2 + returned**2).sum(1, keepdim=True)
    x = torch.arange(w, device=flow.device) + flow[:, :1]
    y = torch.arange(h, device=flow.device)[:, None] + flow[:, 1:]
    inside = (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
    return ((gap <= 0.01 * motion + 0.5) & inside).to(flow.dtype)


def variance(z: Tensor) -> Tensor:
    """VICReg's hinge on the deviation of (N, D)."""
    return F.relu(1 - torch.sqrt(z.var(dim=0) + 1e-4)).mean()


def covariance(z: Tensor) -> Tensor:
    """VICReg's sum of the squared covariances of (N, D), divided by D."""
    z = z - z.mean(dim=0)
    cov = z.T @ z / (len(z) - 1)
    return (cov.pow(2).sum() - cov.diagonal().pow(2).sum()) / z.shape[1]
