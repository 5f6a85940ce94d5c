"""The ternary census distance: order of neighbours instead of colours."""

from torch import Tensor

from .masked import masked_mean
from .precision import full_precision

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
