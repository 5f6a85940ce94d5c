"""One batch out of the batches of all processes."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """The number of processes that train together, 1 without a group."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size()
    return 1


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


def _check_sizes(tensors: Sequence[Tensor]) -> None:
    """Refuse unequal sizes, with which NCCL would hang or mix up rows.

    The sizes go through a collective of their own: processes that disagree
    then agree about it and all of them raise.
    """
    sizes = torch.tensor([len(x) for x in tensors], device=tensors[0].device)
    all_sizes = [torch.empty_like(sizes) for _ in range(dist.get_world_size())]
    dist.all_gather(all_sizes, sizes)
    all_sizes = torch.stack(all_sizes).tolist()
    if any(sizes != all_sizes[0] for sizes in all_sizes):
        raise ValueError(
            'every process must bring the same number of samples to a loss '
            f'over the global batch, got {all_sizes} on processes 0 to '
            f'{len(all_sizes) - 1}: use one batch size and drop_last=True in '
            'every dataloader'
        )


def gather_with_grad(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Concatenate each tensor over the processes, with the right gradient.

    The backward pass sums the gradients of all processes, so that after DDP's
    averaging the parameters' gradients equal those of one process on the
    concatenated batch (official VICReg's rule). All tensors travel in one
    collective, after one small collective for their sizes. In a single
    process the tensors come back as they are.

    Args:
        tensors (Sequence[Tensor]): (n_i, ...) of one dtype, on one device;
            the shapes are the same on every process.

    Returns:
        list[Tensor]: (W * n_i, ...), in the order of the processes.

    Raises:
        ValueError: On every process, if the n_i differ between processes.
    """
    world = world_size()
    if world == 1:
        return list(tensors)
    _check_sizes(tensors)
    packed = _Gather.apply(torch.cat([x.reshape(-1) for x in tensors]))
    parts = packed.split([x.numel() for x in tensors], dim=1)
    return [
        part.reshape(world * len(x), *x.shape[1:])
        for part, x in zip(parts, tensors)
    ]
