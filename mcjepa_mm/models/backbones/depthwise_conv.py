"""A depthwise convolution whose weights have a fast gradient on a CPU."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..exporting import is_exporting
from ..no_autocast import without_autocast

_STRIP = 3  # columns
# Where oneDNN has it: seen with AVX-512 only, so elsewhere torch's own
# gradient stays.
_HAS_FAST_STRIPS = (
    torch.backends.mkldnn.is_available()
    and torch.backends.cpu.get_cpu_capability() == 'AVX512'
)


class DepthwiseConv(nn.Conv2d):
    """Depthwise convolution of odd kernel size that keeps (H, W).

    A ``nn.Conv2d`` with the same parameters and results. The gradient of its
    weights is taken by :func:`weight_gradient` where that is faster: for
    float32 maps in channels-last memory, no smaller than the kernel, on a CPU
    with AVX-512. There it cannot be differentiated twice. An exported graph
    has torch's own.

    Args:
        channels (int): Channels C of input and output.
        kernel_size (int): Kernel size, odd.

    Shape:
        Input and output: (N, C, H, W).
    """

    def __init__(self, channels: int, *, kernel_size: int) -> None:
        super().__init__(
            channels,
            channels,
            kernel_size,
            padding=kernel_size // 2,
            groups=channels,
        )

    def forward(self, x: Tensor) -> Tensor:
        if (
            torch.is_grad_enabled()
            and not is_exporting()
            and _is_for_fast_gradient(x, self.kernel_size[0])
        ):
            return _DepthwiseConv.apply(x, self.weight, self.bias)
        return super().forward(x)


def weight_gradient(x: Tensor, grad: Tensor, kernel_size: int) -> Tensor:
    """Gradient of a depthwise convolution with respect to its weights.

    oneDNN has a depthwise gradient for kernels of up to three columns. A
    wider one it computes as 16 x 16 dense channels, of which it keeps the
    diagonal. So the kernel is cut into strips of at most three columns; for
    each the map is moved by as many pixels as the strip is off the centre.

    Args:
        x (Tensor): Input of the convolution, (N, C, H, W).
        grad (Tensor): Gradient of its output, (N, C, H, W).
        kernel_size (int): Size k of its kernel, odd.

    Returns:
        Tensor: (C, 1, k, k).
    """
    channels, pad = x.shape[1], kernel_size // 2
    strips = []
    for first in range(0, kernel_size, _STRIP):
        width = min(_STRIP, kernel_size - first)
        # what its first column sees of the first pixel, its last of the last
        sides = pad - first, first + width - 1 - pad
        _, strip, _ = torch.ops.aten.convolution_backward(
            grad,
            F.pad(x, sides),
            grad.new_empty(channels, 1, kernel_size, width),
            None,
            [1, 1],
            [pad, 0],
            [1, 1],
            False,
            [0, 0],
            channels,
            [False, True, False],
        )
        strips.append(strip)
    # laid out as the weights are, which DistributedDataParallel expects
    return torch.cat(strips, dim=3).contiguous()


def _is_for_fast_gradient(x: Tensor, kernel_size: int) -> bool:
    # oneDNN has none for a kernel that is larger than the map.
    return (
        _HAS_FAST_STRIPS
        and x.device.type == 'cpu'
        and x.dtype == torch.float32
        and not torch.is_autocast_enabled('cpu')
        and min(x.shape[-2:]) >= kernel_size
        and x.is_contiguous(memory_format=torch.channels_last)
    )


class _DepthwiseConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        pad = weight.shape[-1] // 2
        return F.conv2d(x, weight, bias, padding=pad, groups=len(weight))

    @staticmethod
    @once_differentiable
    @without_autocast
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        size = weight.shape[-1]
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad_x = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_x = F.conv2d(
                grad, weight.flip(2, 3), padding=size // 2, groups=len(weight)
            )
        if ctx.needs_input_grad[1]:
            grad_weight = weight_gradient(x, grad, size)
        if ctx.needs_input_grad[2]:
            grad_bias = grad.sum((0, 2, 3))
        return grad_x, grad_weight, grad_bias
