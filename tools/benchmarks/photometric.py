"""L1 + L2 + SSIM of an image and a warped one, and the latter's gradient.

Two peers. avg_pool2d is the usual way in self-supervised depth and flow, five
box means by pooling, equal in its result. kornia's SSIM has a Gaussian window,
of side 3 here, and so another result, which is not compared.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks._case import Case, Work, optional
from benchmarks.plain_losses import SSIM, masked_mean

SHAPE = (4, 3, 256, 512)  # both directions of two pairs
WINDOW = 3


def ours() -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The package's."""
    from mcjepa_mm.models.losses import photometric_loss

    return photometric_loss


def kornia_distance(x: Tensor, y: Tensor) -> Tensor:
    """(1 - SSIM) / 2 of Gaussian windows."""
    from kornia.metrics import ssim

    return (1 - ssim(x, y, WINDOW)) / 2


def with_ssim(
    distance: Callable[[Tensor, Tensor], Tensor],
) -> Callable[[], Callable]:
    """The loss around a peer's SSIM."""

    def loss(image: Tensor, warped: Tensor, mask: Tensor) -> Tensor:
        difference = image - warped
        error = difference.abs() + difference**2 + distance(image, warped)
        return masked_mean([error], [mask])

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
    pooled = {'avg_pool2d': make(with_ssim(SSIM()), device)}
    kornia = optional(
        {"kornia's SSIM": make(with_ssim(kornia_distance), device)}, 'kornia'
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
