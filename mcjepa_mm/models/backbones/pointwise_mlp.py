"""The two fully connected layers of a ConvNeXt block as one operation."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..exporting import is_exporting
from ..no_autocast import without_autocast

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
    """How many positions of (M, C) are worked on together."""
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
