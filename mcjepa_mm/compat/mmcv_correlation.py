"""mmcv's correlation operator on this package's cost volume.

The stand-in :mod:`mcjepa_mm.compat.mmcv_ext` calls this module in place of
the two compiled functions behind ``mmcv.ops.Correlation``, so that mmflow's
correlation models run beside mmcv-lite, on a CPU as well. It is imported when
the operator is first called, because it imports torch.

Of mmcv's options it knows those that mmflow's configs use: windows of one
pixel (``kernel_size`` 1), any ``max_displacement``, ``stride``, ``padding``
and ``dilation_patch``.
"""

from math import gcd

import torch
import torch.nn.functional as F
from torch import Tensor

from mcjepa_mm.models.flow.cost_volume import cost_volume


def correlation_forward(
    input1: Tensor, input2: Tensor, output: Tensor, **options
) -> None:
    """Write the correlation of two maps into ``output``.

    Args:
        input1 (Tensor): (N, C, H, W).
        input2 (Tensor): (N, C, H, W).
        output (Tensor): (N, D, D, H_out, W_out), written in place; entry
            (dy, dx) is the sum over channels, not the mean.
        **options: The keywords of mmcv's compiled function.

    Raises:
        NotImplementedError: For windows of more than one pixel, or options
            that differ between height and width.
    """
    output.copy_(_correlate(input1, input2, *_parse(**options)))


def correlation_backward(
    grad_output: Tensor,
    input1: Tensor,
    input2: Tensor,
    grad_input1: Tensor,
    grad_input2: Tensor,
    **options,
) -> None:
    """Write the gradients of both maps into ``grad_input1`` and ``2``.

    mmcv keeps nothing but the two maps between forward and backward, so the
    forward is computed once more.

    Args:
        grad_output (Tensor): (N, D, D, H_out, W_out).
        input1 (Tensor): (N, C, H, W).
        input2 (Tensor): (N, C, H, W).
        grad_input1 (Tensor): (N, C, H, W), written in place.
        grad_input2 (Tensor): (N, C, H, W), written in place.
        **options: The keywords of mmcv's compiled function.

    Raises:
        NotImplementedError: As :func:`correlation_forward`.
    """
    parsed = _parse(**options)
    with torch.enable_grad():
        inputs = [x.detach().requires_grad_() for x in (input1, input2)]
        output = _correlate(inputs[0], inputs[1], *parsed)
    grads = torch.autograd.grad(output, inputs, grad_output)
    grad_input1.copy_(grads[0])
    grad_input2.copy_(grads[1])


def _parse(
    *,
    kH: int,
    kW: int,
    patchH: int,
    patchW: int,
    padH: int,
    padW: int,
    dilationH: int,
    dilationW: int,
    dilation_patchH: int,
    dilation_patchW: int,
    dH: int,
    dW: int,
) -> tuple[int, int, int, int]:
    """Radius, padding, stride and dilation of the displacements.

    ``dilationH`` and ``dilationW`` space the pixels of a window, of which
    there is one.
    """
    if (kH, kW) != (1, 1):
        raise NotImplementedError(
            'Without its compiled operators, mmcv.ops.Correlation compares '
            f'single pixels: kernel_size must be 1, got {(kH, kW)}. For '
            'larger windows install a compiled mmcv>=2.0.0,<2.1.0.'
        )
    pairs = dict(
        max_displacement=((patchH - 1) // 2, (patchW - 1) // 2),
        padding=(padH, padW),
        stride=(dH, dW),
        dilation_patch=(dilation_patchH, dilation_patchW),
    )
    for name, (of_height, of_width) in pairs.items():
        if of_height != of_width:
            raise NotImplementedError(
                'Without its compiled operators, mmcv.ops.Correlation takes '
                f'one {name} for height and width, got '
                f'{(of_height, of_width)}. For two install a compiled '
                'mmcv>=2.0.0,<2.1.0.'
            )
    radius, padding, stride, dilation = (x for x, _ in pairs.values())
    return radius, padding, stride, dilation


def _correlate(
    feat1: Tensor,
    feat2: Tensor,
    radius: int,
    padding: int,
    stride: int,
    dilation: int,
) -> Tensor:
    """(N, C, H, W) twice to (N, D, D, H_out, W_out).

    Pixels that are ``dilation`` apart form grids of their own, which the
    displacements never leave: each grid is one image of the batch, with
    displacements of one pixel.
    """
    feat1, feat2 = (F.pad(x, (padding,) * 4) for x in (feat1, feat2))
    # Stride and dilation together leave out all but every step-th pixel.
    step = gcd(stride, dilation)
    feat1, feat2 = (x[..., ::step, ::step] for x in (feat1, feat2))
    stride, dilation = stride // step, dilation // step

    c, h, w = feat1.shape[1:]
    # In the precision of the maps, as the compiled operator is.
    with torch.autocast(feat1.device.type, enabled=False):
        volume = cost_volume(
            _split(feat1, dilation), _split(feat2, dilation), radius
        )
    volume = _join(volume * c, dilation)[..., :h:stride, :w:stride]
    return volume.unflatten(1, (2 * radius + 1, 2 * radius + 1))


def _split(feat: Tensor, dilation: int) -> Tensor:
    """(N, C, H, W) to (N * dilation^2, C, H / dilation, W / dilation)."""
    h, w = feat.shape[-2:]
    feat = F.pad(feat, (0, -w % dilation, 0, -h % dilation))
    feat = feat.unflatten(3, (-1, dilation)).unflatten(2, (-1, dilation))
    return feat.permute(0, 3, 5, 1, 2, 4).flatten(0, 2)


def _join(feat: Tensor, dilation: int) -> Tensor:
    """The inverse of :func:`_split`, without its cut to the old size."""
    feat = feat.unflatten(0, (-1, dilation, dilation))
    return feat.permute(0, 3, 4, 1, 5, 2).flatten(4, 5).flatten(2, 3)
