"""What the processes of test_losses_distributed do.

A module of its own, because a spawned process has to import it by name.
"""

from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from mcjepa_mm.models.heads.vicreg_head import GlobalBatchNorm1d
from mcjepa_mm.models.losses import (
    FeatureVCLoss,
    VICRegLoss,
    gather_with_grad,
)

WORLD = 2


def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 6, 5, 3, 2, generator=generator, dtype=torch.float64)


def layer(dims: int) -> nn.Linear:
    torch.manual_seed(dims)
    return nn.Linear(5, dims).double()


def vicreg_step(dims: int, part: slice) -> dict:
    """Loss and gradient of a shared layer on a part of the batch."""
    views, shared = images()[:, part, :, 0, 0], layer(dims)
    terms = VICRegLoss()(shared(views[0]), shared(views[1]))
    return backward(terms, shared)


def batch_norm_step(part: slice, norm: nn.BatchNorm1d, scale: float) -> dict:
    """A sum over the samples, and what the layer remembers."""
    shared, norm = layer(5), norm.double()
    nn.init.uniform_(norm.weight), nn.init.uniform_(norm.bias)
    for _ in range(2):
        out = norm(shared(3 * images()[0, part, :, 0, 0] + 1))
    result = backward(dict(cube=scale * (out**3).sum()), shared)
    affine = torch.cat([norm.weight.grad, norm.bias.grad])
    return dict(result, affine=affine, **dict(norm.named_buffers()))


def local_step(part: slice) -> dict:
    """The term of maps with the statistics of one process."""
    return FeatureVCLoss((1.0,), (1.0,), gather=False)([images()[0, part]])


def backward(terms: dict, shared: nn.Module) -> dict:
    sum(terms.values()).backward()
    grad = torch.cat([shared.weight.grad.flatten(), shared.bias.grad])
    return dict(grad=grad, **{k: v.detach() for k, v in terms.items()})


def run(rank: int, folder: str) -> None:
    """Write the results of one process to ``folder``."""
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder}/rendezvous',
        rank=rank,
        world_size=WORLD,
        timeout=timedelta(seconds=60),
    )
    part = slice(3 * rank, 3 * rank + 3)
    results = dict(
        vicreg_wide=vicreg_step(9, part),
        vicreg_narrow=vicreg_step(4, part),
        # one sample here, five there
        batch_norm=batch_norm_step(
            (slice(1), slice(1, None))[rank], GlobalBatchNorm1d(5), WORLD
        ),
    )
    for result in results.values():
        # What DDP does with the gradients, and a logger with the losses.
        for value in result.values():
            if value.is_floating_point():
                dist.all_reduce(value)
                value /= WORLD
    results['local'] = local_step(part)
    half = GlobalBatchNorm1d(3)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = half(torch.full((1, 3), 300.0 + 2 * rank).bfloat16())
    results['half'] = dict(out=out, running_mean=half.running_mean)

    constant = torch.full((2, 1, 3, 3), 2.0 * rank)
    results['shared_budget'] = FeatureVCLoss(
        (1.0,), (0.0,), max_samples=4, gamma=2.0
    )([constant])['variance']
    results['one_image_each'] = VICRegLoss()(
        torch.full((1, 3), 2.0 * rank), torch.full((1, 3), 2.0 * rank)
    )['variance']

    mine = torch.full((2, 3), float(rank))
    results['order'] = gather_with_grad([mine, mine[:1]])
    try:
        gather_with_grad([torch.zeros(2 + rank, 3)])
    except ValueError as error:
        results['unequal'] = str(error)
    torch.save(results, Path(folder) / f'{rank}.pt')
    dist.destroy_process_group()
