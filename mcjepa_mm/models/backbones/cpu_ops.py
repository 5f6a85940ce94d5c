"""Operations of a ConvNeXt block with fast backwards on a CPU."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..exporting import is_exporting
from ..precision import without_autocast

_STRIP = 3  # columns
# Where oneDNN has it; elsewhere torch's own gradient stays.
_HAS_FAST_STRIPS = (
    torch.backends.mkldnn.is_available()
    and torch.backends.cpu.get_cpu_capability() in ('AVX2', 'AVX512')
)


class DepthwiseConv(nn.Conv2d):
    """Depthwise convolution of odd kernel size that keeps (H, W).

    A ``nn.Conv2d`` with the same parameters and results. The gradient of its
    weights is taken by :func:`weight_gradient` where that is faster: for
    float32 maps in channels-last memory, no smaller than the kernel, on a CPU
    with AVX2. There it cannot be differentiated twice. An exported graph
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


# On a CPU, values of the wide map that are worked on together. 8 MB stay in
# the cache between the two layers, and in memory that malloc uses again,
# while of a larger map every page is fetched anew. Forward + backward on two
# cores with AVX-512: 79 ms in place of 110 at (8, 56, 56, 96), 47 in place of
# 55 at (8, 28, 28, 192), the same at smaller maps, which are one piece.
_CHUNK = 2**21


def pointwise_mlp(
    x: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor
) -> Tensor:
    """Linear layer, GELU, linear layer.

    ``F.linear(F.gelu(F.linear(x, weight1, bias1)), weight2, bias2)`` with a
    backward written by hand. It keeps the wide map before the GELU and
    computes the one behind it again, so four of the nine channels that
    autograd keeps per channel of ``x`` are saved; and it writes no wide map
    that it can overwrite. It cannot be differentiated twice. Without a
    gradient no wide map is kept.

    Under autocast all is done in autocast's type, as ``F.linear`` does. An
    exported graph has the plain form.

    Args:
        x (Tensor): (..., C), of two dimensions or more.
        weight1 (Tensor): (D, C).
        bias1 (Tensor): (D,).
        weight2 (Tensor): (E, D).
        bias2 (Tensor): (E,).

    Returns:
        Tensor: (..., E).
    """
    if is_exporting():
        return F.linear(F.gelu(F.linear(x, weight1, bias1)), weight2, bias2)
    inputs = (x, weight1, bias1, weight2, bias2)
    device = x.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        inputs = tuple(tensor.to(dtype) for tensor in inputs)
    if not torch.is_grad_enabled():
        # The operation itself cannot tell: a parameter wants its gradient
        # whether or not there will be one.
        inputs = tuple(tensor.detach() for tensor in inputs)
    with torch.autocast(device, enabled=False):
        out = _PointwiseMLP.apply(inputs[0].flatten(0, -2), *inputs[1:])
    return out.view(*x.shape[:-1], len(weight2))


def _rows(x: Tensor, width: int) -> int:
    """Number of positions of (M, C) in a chunk."""
    # Half precision would round the sum of the pieces' gradients each time.
    if x.device.type != 'cpu' or x.dtype.itemsize < 4:
        return max(1, len(x))
    pieces = -(-len(x) * width // _CHUNK)
    return max(1, -(-len(x) // max(1, pieces)))


class _PointwiseMLP(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx,
        x: Tensor,
        weight1: Tensor,
        bias1: Tensor,
        weight2: Tensor,
        bias2: Tensor,
    ) -> Tensor:
        rows = _rows(x, len(weight1))
        # Backward needs all of the wide map, a prediction one piece.
        kept = len(x) if any(ctx.needs_input_grad) else min(rows, len(x))
        hidden = x.new_empty(kept, len(weight1))
        out = x.new_empty(len(x), len(weight2))
        for begin in range(0, len(x), rows):
            part = slice(begin, begin + rows)
            count = len(x[part])
            wide = hidden[part] if kept == len(x) else hidden[:count]
            torch.addmm(bias1, x[part], weight1.t(), out=wide)
            torch.addmm(bias2, F.gelu(wide), weight2.t(), out=out[part])
        ctx.save_for_backward(x, hidden, weight1, weight2)
        return out

    @staticmethod
    @once_differentiable
    @without_autocast
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, hidden, weight1, weight2 = ctx.saved_tensors
        rows = _rows(x, len(weight1))
        grad_x = torch.empty_like(x)
        # Of no position at all they stay 0.
        make = torch.empty_like if len(x) else torch.zeros_like
        grad_weight1, grad_weight2 = make(weight1), make(weight2)
        grad_bias1 = weight1.new_zeros(len(weight1))
        for begin in range(0, len(x), rows):
            part = slice(begin, begin + rows)
            # The first piece overwrites what was there.
            beta = 1 if begin else 0
            after = F.gelu(hidden[part])
            grad_weight2.addmm_(grad[part].t(), after, beta=beta)
            wide = grad[part] @ weight2
            torch.ops.aten.gelu_backward.grad_input(
                wide, hidden[part], grad_input=wide
            )
            torch.mm(wide, weight1, out=grad_x[part])
            grad_weight1.addmm_(wide.t(), x[part], beta=beta)
            grad_bias1 += wide.sum(0)
        return (
            grad_x,
            grad_weight1,
            grad_bias1,
            grad_weight2,
            grad.sum(0),
        )
