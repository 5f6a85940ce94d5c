"""Collectives of the losses, so that W processes equal one.

The sample at position j of process r's batch is number ``j * W + r`` of the
global batch, W processes: mmengine's DefaultSampler deals the samples out in
turns, so a run keeps its numbers whatever W is.
"""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from mmengine.dist import all_reduce, broadcast, get_rank, get_world_size
from torch import Tensor

from mcjepa_mm.utils.dist import cpu_group


class _Gather(torch.autograd.Function):
    """all_gather whose backward sums the gradients of all processes.

    Every process computes the same loss L of the gathered batch, and its own
    share gets the sum of W gradients dL/dx. The mean over processes that DDP
    takes of the parameters' gradients divides by W again, so a step equals
    one process on the concatenated batch.
    """

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        shares = [torch.empty_like(x) for _ in range(dist.get_world_size())]
        dist.all_gather(shares, x)
        return torch.stack(shares)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        # autograd may hold `grad` elsewhere, and all_reduce writes in place.
        grad = grad.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(grad)
        return grad[dist.get_rank()]


def check_shapes(tensors: Sequence[Tensor]) -> None:
    """Refuse unequal shapes, which would block a collective.

    The shapes go through a collective of their own: processes that disagree
    then agree about it and all of them raise. It is one of the CPU, so that
    no GPU is waited for.

    Raises:
        ValueError: On every process, if a shape differs between processes.
    """
    world = get_world_size()
    if world == 1:
        return
    sizes = torch.tensor([side for x in tensors for side in x.shape])
    all_sizes = [torch.empty_like(sizes) for _ in range(world)]
    dist.all_gather(all_sizes, sizes, cpu_group())
    all_sizes = torch.stack(all_sizes).tolist()
    if any(sizes != all_sizes[0] for sizes in all_sizes):
        raise ValueError(
            'every process must bring as many samples, of one size, to a '
            f'loss over the global batch, got the shapes {all_sizes} on '
            f'processes 0 to {world - 1}: use one batch size and '
            'drop_last=True in every dataloader'
        )


def gather_packed(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Stack each tensor over the processes, with gradient.

    All tensors travel in one collective. The backward pass sums the gradients
    of all processes, so that after DDP's averaging the parameters' gradients
    equal those of one process on the concatenated batch (official VICReg's
    rule). They are of one dtype, on one device, and of the same shape on
    every process, which is not checked.

    Returns:
        list[Tensor]: (W, ...), in the order of the processes.
    """
    if get_world_size() == 1:
        return [x[None] for x in tensors]
    packed = _Gather.apply(torch.cat([x.reshape(-1) for x in tensors]))
    parts = packed.split([x.numel() for x in tensors], dim=1)
    return [part.reshape(-1, *x.shape) for part, x in zip(parts, tensors)]


def gather_with_grad(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Concatenate each tensor over the processes, see :func:`gather_packed`.

    Args:
        tensors (Sequence[Tensor]): (n_i, ...) of one dtype, on one device;
            the shapes are the same on every process.

    Returns:
        list[Tensor]: (W * n_i, ...), in the order of the processes.

    Raises:
        ValueError: On every process, see :func:`check_shapes`.
    """
    check_shapes(tensors)
    return [x.flatten(0, 1) for x in gather_packed(tensors)]


def mean_over_processes(x: Tensor) -> Tensor:
    """Mean of a tensor over the processes, without gradient.

    It stays on its device: the host does not wait for it. In a single process
    it is a copy.
    """
    x = x.detach().clone(memory_format=torch.contiguous_format)
    all_reduce(x, 'mean')
    return x


def broadcast_from_rank0(drawn: Tensor) -> Tensor:
    """Broadcast a tensor from rank 0.

    Processes may have different random states. Each of them draws, and the
    draws of all but the first are lost: one process alone would have made
    the first one's. ``drawn``, of one shape on every process, is written to.
    """
    broadcast(drawn)
    return drawn


def global_indices(count: int, device: torch.device) -> Tensor:
    """Indices in the global batch of this rank's ``count`` samples."""
    world = get_world_size()
    return torch.arange(get_rank(), world * count, world, device=device)
