"""What the processes of test_losses_distributed do.

A module of its own, because a spawned process has to import it by name.
"""

from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from mcjepa_mm.models.losses import FeatureVCLoss, VICRegLoss, gather_with_grad

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


def feature_step(part: slice, gather: bool = True) -> dict:
    views, shared = images()[0, part].movedim(1, -1), layer(4)
    fine = shared(views).movedim(-1, 1)
    coarse = torch.cat([fine, fine.square(), fine.exp()], 1)[..., :1, :1]
    terms = FeatureVCLoss((0.5, 2.0), (1.0, 0.3), gather=gather)(
        [fine, coarse]
    )
    return backward(terms, shared)


def backward(terms: dict, shared: nn.Linear) -> dict:
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
        feature=feature_step(part),
    )
    for result in results.values():
        # What DDP does with the gradients, and a logger with the losses.
        for value in result.values():
            dist.all_reduce(value)
            value /= WORLD
    results['feature_local'] = feature_step(part, gather=False)

    constant = torch.full((2, 1, 3, 3), 2.0 * rank)
    results['shared_budget'] = FeatureVCLoss(
        (1.0,), (0.0,), max_samples=2, gamma=2.0
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
