"""L_rec: photometric loss of the warped image."""

import torch.nn.functional as F
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from ..precision import full_precision
from .masked import masked_mean

# ITU-R BT.601 luma, which UFlow's rgb_to_grayscale uses too.
GRAY = (0.2989, 0.5870, 0.1140)


def _ternary(gray: Tensor, dy: int, dx: int) -> Tensor:
    """Soft sign of I(p + d) - I(p) for every p with p and p + d inside."""
    height, width = gray.shape[-2:]
    centre = gray[..., : height - dy, max(0, -dx) : width - max(0, dx)]
    neighbour = gray[..., dy:, max(0, dx) : width - max(0, -dx)]
    difference = neighbour - centre
    return difference / (0.81 + difference**2).sqrt()


@full_precision
def census_distance(x: Tensor, y: Tensor, *, window: int = 7) -> Tensor:
    r"""Soft Hamming distance of the ternary census of two images.

    With d the difference of a neighbour and the centre in gray levels (0 to
    255), each neighbour gives the soft sign :math:`t = d / \sqrt{0.81 + d^2}`
    and the distance :math:`(t_x - t_y)^2 / (0.1 + (t_x - t_y)^2)`; a pixel's
    distance is the sum over its window (DDFlow, UFlow).

    Neighbour -d of pixel p compares the same two pixels as neighbour d of
    pixel p - d, so half of the window is computed and used twice.

    Args:
        x (Tensor): (N, 3, H, W) in [0, 1], RGB.
        y (Tensor): (N, 3, H, W) in [0, 1], RGB.
        window (int): Side of the window in pixels, odd. Defaults to 7, as in
            UFlow.

    Returns:
        Tensor: (N, 1, H - window + 1, W - window + 1): the pixels whose whole
        window is inside the image.

    Raises:
        ValueError: If the images are not RGB, or the window is even, below 3
            or larger than the image.
    """
    height, width = x.shape[-2:]
    if x.shape[1] != 3 or x.shape != y.shape:
        raise ValueError(
            'census compares two RGB images (N, 3, H, W), got '
            f'{tuple(x.shape)} and {tuple(y.shape)}'
        )
    if window % 2 != 1 or window < 3 or window > min(height, width):
        raise ValueError(
            'the census window must be odd, at least 3 and at most the '
            f'image, got window={window} for an image of {height} x {width}: '
            'use a smaller window or larger images'
        )
    luma = x.new_tensor(GRAY).view(1, 3, 1, 1) * 255
    gray_x = (x * luma).sum(1, keepdim=True)
    gray_y = (y * luma).sum(1, keepdim=True)

    r = window // 2
    total = x.new_zeros(())
    for dy in range(r + 1):
        for dx in range(-r if dy else 1, r + 1):
            square = (_ternary(gray_x, dy, dx) - _ternary(gray_y, dy, dx)) ** 2
            pair = square / (0.1 + square)
            # Pixel (i, j) of `pair` has its centre at (i, j + max(0, -dx)).
            top, left = r, r - max(0, -dx)
            rows, cols = height - 2 * r, width - 2 * r
            total = total + pair[..., top : top + rows, left : left + cols]
            top, left = top - dy, left - dx
            total = total + pair[..., top : top + rows, left : left + cols]
    return total


@full_precision
def census_loss(
    image: Tensor, warped: Tensor, mask: Tensor, *, window: int = 7
) -> Tensor:
    """UFlow's census loss: robust mean distance over the visible pixels.

    The distance h of a pixel is made robust as (h + 0.01)**0.4, DDFlow's and
    UFlow's form, so equal images give 0.01**0.4 = 0.158 and not 0. Pixels
    closer to the border than half a window are left out.

    Args:
        image (Tensor): (N, 3, H, W) in [0, 1], frame t.
        warped (Tensor): (N, 3, H, W) in [0, 1], frame t + 1 warped to t.
        mask (Tensor): (N, 1, H, W), 1 where visible.
        window (int): Side of the window in pixels, odd. Defaults to 7.

    Returns:
        Tensor: Scalar.

    Raises:
        ValueError: As :func:`census_distance` and :func:`masked_mean`.
    """
    error = (census_distance(image, warped, window=window) + 0.01) ** 0.4
    r = window // 2
    return masked_mean(error, mask[..., r:-r, r:-r])


def _box_mean(image: Tensor, window: int) -> Tensor:
    """Mean over a box, borders reflected.

    A sum of slices per axis: avg_pool2d is not vectorised on a CPU for this
    layout and took 2.3 times as long forward + backward (8 x 3 x 96 x 128,
    window 3, one core, torch 2.13).
    """
    height, width = image.shape[-2:]
    image = F.pad(image, [window // 2] * 4, mode='reflect')
    image = sum(image.narrow(-2, i, height) for i in range(window))
    image = sum(image.narrow(-1, i, width) for i in range(window))
    return image / window**2


@full_precision
def ssim_distance(
    x: Tensor,
    y: Tensor,
    *,
    window: int = 3,
    c1: float = 0.01**2,
    c2: float = 0.03**2,
) -> Tensor:
    r"""Structural dissimilarity (1 - SSIM) / 2 of every pixel and channel.

    .. math::
        SSIM = \frac{(2\mu_x\mu_y + c_1)(2\sigma_{xy} + c_2)}
                    {(\mu_x^2 + \mu_y^2 + c_1)(\sigma_x^2 + \sigma_y^2 + c_2)}

    The window is a plain box with reflected borders, 3 x 3 as in
    self-supervised depth and flow (monodepth2, ARFlow) and not the 11 x 11
    Gaussian of image quality work, so the result keeps the image's size and
    a motion boundary spoils one pixel on each side only. The paper gives no
    window (?).

    Args:
        x (Tensor): (N, C, H, W) in [0, 1].
        y (Tensor): (N, C, H, W) in [0, 1].
        window (int): Side of the box in pixels, odd. Defaults to 3.
        c1 (float): Keeps the luminance ratio finite. Defaults to 0.01**2.
        c2 (float): Keeps the contrast ratio finite. Defaults to 0.03**2.

    Returns:
        Tensor: (N, C, H, W) in [0, 1], 0 where the windows are equal.

    Raises:
        ValueError: If the window is even or larger than the borders can
            reflect.
    """
    radius = window // 2
    if window % 2 != 1 or radius >= min(x.shape[-2:]):
        raise ValueError(
            'the SSIM window must be odd and its half smaller than the image, '
            f'got window={window} for an image of {tuple(x.shape[-2:])}'
        )

    mean_x, mean_y = _box_mean(x, window), _box_mean(y, window)
    square_x, square_y, product = mean_x**2, mean_y**2, mean_x * mean_y
    # The two variances only appear as their sum: one box instead of two.
    variances = _box_mean(x**2 + y**2, window) - square_x - square_y
    covariance = _box_mean(x * y, window) - product
    ssim = (
        (2 * product + c1)
        * (2 * covariance + c2)
        / ((square_x + square_y + c1) * (variances + c2))
    )
    return (1 - ssim) / 2


@full_precision
def photometric_loss(
    image: Tensor,
    warped: Tensor,
    mask: Tensor,
    *,
    l1: float = 1.0,
    l2: float = 1.0,
    ssim: float = 1.0,
    census: float = 0.0,
    census_window: int = 7,
) -> Tensor:
    """Weighted sum of photometric distances over the visible pixels.

    MC-JEPA's L_rec (arXiv 2307.12698) is L2 + L1 + SSIM with coefficients
    1, 1, 1 (T). The mask is applied at the centre of a window: SSIM's and
    census' windows at a visible pixel still see the warped colours of
    occluded neighbours.

    Args:
        image (Tensor): (N, 3, H, W) in [0, 1], frame t.
        warped (Tensor): (N, 3, H, W) in [0, 1], frame t + 1 warped to t.
        mask (Tensor): (N, 1, H, W), 1 where visible.
        l1 (float): Weight of the absolute difference. Defaults to 1.
        l2 (float): Weight of the squared difference. Defaults to 1.
        ssim (float): Weight of :func:`ssim_distance`. Defaults to 1.
        census (float): Weight of :func:`census_loss`, which is the one term
            that ignores additive changes of light. Defaults to 0.
        census_window (int): Side of the census window. Defaults to 7.

    Returns:
        Tensor: Scalar.

    Raises:
        ValueError: If the shapes differ, or as the mask and the windows
            demand.
    """
    if image.shape != warped.shape:
        raise ValueError(
            'the image and the warped image must have one shape, got '
            f'{tuple(image.shape)} and {tuple(warped.shape)}: resize the '
            "image to the flow's size before warping"
        )
    difference = image - warped
    error = l1 * difference.abs() + l2 * difference**2
    if ssim:
        error = error + ssim * ssim_distance(image, warped)
    loss = masked_mean(error, mask)
    if census:
        loss = loss + census * census_loss(
            image, warped, mask, window=census_window
        )
    return loss


@MODELS.register_module()
class PhotometricLoss(nn.Module):
    """:func:`photometric_loss`, with its arguments, times ``loss_weight``."""

    def __init__(
        self,
        l1: float = 1.0,
        l2: float = 1.0,
        ssim: float = 1.0,
        census: float = 0.0,
        census_window: int = 7,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.l1 = l1
        self.l2 = l2
        self.ssim = ssim
        self.census = census
        self.census_window = census_window
        self.loss_weight = loss_weight

    def forward(self, image: Tensor, warped: Tensor, mask: Tensor) -> Tensor:
        """The weighted loss, see :func:`photometric_loss`."""
        return self.loss_weight * photometric_loss(
            image,
            warped,
            mask,
            l1=self.l1,
            l2=self.l2,
            ssim=self.ssim,
            census=self.census,
            census_window=self.census_window,
        )
