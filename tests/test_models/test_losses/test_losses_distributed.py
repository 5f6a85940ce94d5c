"""Two processes equal one on the concatenated batch.

The losses of maps are compared in test_many_processes, in whole trainings.
"""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
import losses_workers as workers

ALL = slice(None)
pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    """One spawn for all tests here: starting processes is what costs."""
    folder = tmp_path_factory.mktemp('losses')
    torch.multiprocessing.spawn(
        workers.run, args=(str(folder),), nprocs=workers.WORLD
    )
    return [torch.load(folder / f'{r}.pt') for r in range(workers.WORLD)]


@pytest.mark.parametrize(
    'name, expected',
    [
        ('vicreg_wide', lambda: workers.vicreg_step(9, ALL)),
        ('vicreg_narrow', lambda: workers.vicreg_step(4, ALL)),
        (
            'batch_norm',
            lambda: workers.batch_norm_step(ALL, nn.BatchNorm1d(5), 1),
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
        expected = workers.local_step(slice(3 * rank, 3 * rank + 3))
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
