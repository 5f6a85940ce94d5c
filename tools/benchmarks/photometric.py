"""L1 + L2 + SSIM of an image and a warped one, and the latter's gradient.

Two peers. avg_pool2d is the usual way in self-supervised depth and flow, five
box means by pooling, equal in its result. kornia's SSIM has a Gaussian window,
of side 3 here, and so another result, which is not compared.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from benchmarks._case import Case, Work, optional
from torch import Tensor

SHAPE = (4, 3, 256, 512)  # both directions of two pairs
WINDOW = 3


def ours() -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The package's."""
    from mcjepa_mm.models.losses import photometric_loss

    return photometric_loss


def pooled_ssim(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of box windows by pooling padded images."""
    x, y = (F.pad(z, [WINDOW // 2] * 4, mode='reflect') for z in (x, y))
    mean_x, mean_y, square_x, square_y, product = (
        F.avg_pool2d(z, WINDOW, stride=1) for z in (x, y, x**2, y**2, x * y)
    )
    var_x, var_y = square_x - mean_x**2, square_y - mean_y**2
    covariance = product - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return above / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))


def kornia_ssim(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of Gaussian windows."""
    from kornia.metrics import ssim

    return ssim(x, y, WINDOW)


def with_ssim(
    ssim: Callable[[Tensor, Tensor], Tensor],
) -> Callable[[], Callable]:
    """The loss around a peer's SSIM."""

    def loss(image: Tensor, warped: Tensor, mask: Tensor) -> Tensor:
        difference = image - warped
        error = difference.abs() + difference**2
        error = error + (1 - ssim(image, warped)) / 2
        return (error * mask).sum() / (mask.sum() * image.shape[1])

    return lambda: loss


def make(build: Callable, device: str) -> Callable[[], Work]:
    """A side: the loss and the gradient of the warped image."""

    def side() -> Work:
        loss = build()
        torch.manual_seed(0)
        image = torch.rand(SHAPE).to(device)
        warped = (image + 0.1 * torch.randn(SHAPE).to(device)).clamp(0, 1)
        warped.requires_grad_()
        mask = torch.rand(SHAPE[0], 1, *SHAPE[2:]).round().to(device)

        def work() -> list[Tensor]:
            total = loss(image, warped, mask)
            return [total, *torch.autograd.grad(total, warped)]

        return work

    return side


def cases(device: str) -> list[Case]:
    """One shape, against each peer."""
    mine = {'ours': make(ours, device)}
    pooled = {'avg_pool2d': make(with_ssim(pooled_ssim), device)}
    kornia = optional(
        {"kornia's SSIM": make(with_ssim(kornia_ssim), device)}, 'kornia'
    )
    # both images and the mask read, the gradient written
    traffic = 4 * (3 + 1 / SHAPE[1]) * torch.Size(SHAPE).numel()
    return [
        Case(
            shape=f'{SHAPE}, {name} window',
            sides={**mine, **peer},
            traffic=traffic,
            tolerance=tolerance,
        )
        for name, peer, tolerance in (
            ('box', pooled, 1e-3),
            ('Gaussian', kornia, None),
        )
    ]
