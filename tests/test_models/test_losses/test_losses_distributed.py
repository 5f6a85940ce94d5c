"""Two processes equal one on the concatenated batch.

The losses of maps are compared in test_many_processes, in whole trainings.
"""

from pathlib import Path

import pytest
import torch
from torch import nn

from mcjepa_mm.models.heads.vicreg_head import GlobalBatchNorm1d
from mcjepa_mm.models.losses import (
    FeatureVCLoss,
    VICRegLoss,
    gather_with_grad,
)

WORLD = 2
ALL = slice(None)
pytestmark = pytest.mark.slow


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


def share(rank: int, folder: Path) -> dict:
    """The results of one process."""
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
                torch.distributed.all_reduce(value)
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
    return results


@pytest.fixture(scope='module')
def results(two_processes, tmp_path_factory):
    """Once for all tests here: starting processes is what costs."""
    return two_processes(__file__, tmp_path_factory.mktemp('losses'))


@pytest.mark.parametrize(
    'name, expected',
    [
        ('vicreg_wide', lambda: vicreg_step(9, ALL)),
        ('vicreg_narrow', lambda: vicreg_step(4, ALL)),
        (
            'batch_norm',
            lambda: batch_norm_step(ALL, nn.BatchNorm1d(5), 1),
        ),
    ],
)
def test_value_and_gradient_equal_one_process(results, name, expected):
    expected = expected()
    for result in results:
        assert result[name].keys() == expected.keys()
        for key, value in expected.items():
            assert value.abs().max() > 0
            torch.testing.assert_close(
                result[name][key], value, rtol=1e-10, atol=1e-12
            )


def test_without_gather_each_process_has_its_own_statistics(results):
    for rank, result in enumerate(results):
        expected = local_step(slice(3 * rank, 3 * rank + 3))
        torch.testing.assert_close(result['local'], expected)


def test_max_samples_is_shared_by_the_processes(results):
    # One position of each of the four maps: {0, 0, 2, 2} has variance 4 / 3,
    # with two of each it would be 8 / 7.
    for result in results:
        assert result['shared_budget'].item() == pytest.approx(
            2 - (4 / 3 + 1e-4) ** 0.5
        )


def test_batch_norm_of_half_precision_counts_in_float32(results):
    # bfloat16 has no 301; the mean of 300 and 302 is 301
    for result, sign in zip(results, (-1, 1)):
        half = result['half']
        assert half['out'].dtype == torch.bfloat16
        assert half['out'].tolist() == [[sign, sign, sign]]
        assert half['running_mean'].tolist() == pytest.approx([30.1] * 3)


def test_one_image_per_process_is_a_batch_of_two(results):
    # Variance 2 in each dimension is above the hinge.
    for result in results:
        assert result['one_image_each'].item() == 0


def test_order_and_packing(results):
    for result in results:
        first, second = result['order']
        assert first[:, 0].tolist() == [0, 0, 1, 1]
        assert second[:, 0].tolist() == [0, 1]
        assert first.shape == (4, 3) and second.shape == (2, 3)


def test_unequal_batches_are_refused_by_every_process(results):
    for result in results:
        assert '[[2, 3], [3, 3]]' in result['unequal']
