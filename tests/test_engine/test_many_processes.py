"""Two and four processes train as one does on all of their batches.

In float64: in float32 the numbers of one process and of many differ by their
rounding, which the steps before have made larger.
"""

from pathlib import Path

import pytest
import torch

WORKER = Path(__file__).with_name('many_processes_worker.py')
STRATEGIES = ('combined', 'alternate_batches')
MOTION = ('rec', 'reg', 'smooth', 'cycle', 'vc_variance', 'vc_covariance')
TERMS = {f'motion.{name}' for name in (*MOTION, 'student')} | {
    f'content.{name}' for name in ('invariance', 'variance', 'covariance')
}
pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def trained(run, tmp_path_factory):
    """Function of a number of processes and a strategy: what each did."""
    folder = tmp_path_factory.mktemp('many')
    done = run('python', WORKER, folder)
    assert done.returncode == 0, done.stderr
    return lambda number, strategy: [
        torch.load(folder / f'{number}_{strategy}_{rank}.pt')
        for rank in range(number)
    ]


def assert_equal(value, expected, name):
    torch.testing.assert_close(
        value,
        expected,
        rtol=1e-8,
        # for what is 0, as the gradient of a bias before a batch norm
        atol=1e-10,
        msg=lambda text: f'{name}: {text}',
    )


@pytest.mark.parametrize('strategy', STRATEGIES)
@pytest.mark.parametrize('number', [2, 4])
def test_many_processes_equal_one(trained, number, strategy):
    (one,) = trained(1, strategy)
    many = trained(number, strategy)

    seen = set()
    for step, losses in enumerate(one['losses']):
        for name, value in losses.items():
            mean = sum(each['losses'][step][name] for each in many) / number
            assert_equal(mean, value, (step, name))
            seen |= {name} if value > 0 else set()
    assert seen == TERMS | {'loss'}

    decoders = []
    for step, grads in enumerate(one['grads']):
        decoders.append(any('motion.decoder' in name for name in grads))
        for each in many:
            assert each['grads'][step].keys() == grads.keys()
            for name, value in grads.items():
                assert_equal(each['grads'][step][name], value, (step, name))
    assert decoders == [False, True, True]  # flow has begun

    for each in many:
        assert each['weights'].keys() == one['weights'].keys()
        for name, value in one['weights'].items():
            assert_equal(each['weights'][name], value, name)
