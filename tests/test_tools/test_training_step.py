"""The steps that the benchmark and the table of scaling measure."""

import pytest
from benchmarks._step import training_step
from benchmarks.options import COMPILED, CONFIGS, VARIANTS

SHAPES = dict(content=(2, 2, 3, 64, 64), motion=(1, 2, 3, 64, 64))


@pytest.mark.slow
def test_options_change_the_loss_by_rounding_only():
    sides = {
        name: training_step(CONFIGS / 'mcjepa_convnext.py', SHAPES, options)
        for name, options in VARIANTS.items()
    }
    found = {name: step() for name, step in sides.items()}
    losses = {name: float(x['loss'].detach()) for name, x in found.items()}
    assert {'loss', 'content.variance', 'motion.rec'} <= {*found['ours']}
    for name in ('decoder with_cp', 'both with_cp'):
        assert losses[name] == pytest.approx(losses['ours'], rel=1e-6)
    assert losses['bfloat16'] == pytest.approx(losses['ours'], rel=2e-2)
    assert losses['bfloat16'] != losses['ours']
    # the step has moved the weights
    assert float(sides['ours']()['loss'].detach()) != losses['ours']


def test_the_compiled_side_names_modules_of_the_model():
    training_step(CONFIGS / 'mcjepa_convnext.py', SHAPES, COMPILED)
