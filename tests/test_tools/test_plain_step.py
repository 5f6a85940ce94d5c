"""The plain composition that the step is timed against does the same work."""

import pytest
import torch
from benchmarks.cost_volume import shift_and_sum, unfold_and_einsum
from benchmarks.joint_step import build_ours, inputs, named_terms

import mcjepa_mm  # noqa: F401  (patches imports)

ARCH = dict(depths=[1, 1, 2, 1], channels=[16, 24, 32, 40])
EXPANDER = (48, 48, 64)
WATCHED = (
    'backbone.stem.0.0.weight',
    'backbone.stages.2.1.pointwise_conv1.weight',
    'heads.content.expander.0.weight',
    'heads.motion.decoder.estimators.0.layers.0.0.weight',
    'heads.motion.decoder.estimators.5.predict.bias',
)


@pytest.fixture
def sides():
    plain_step = pytest.importorskip(
        'benchmarks.plain_step', exc_type=ImportError
    )
    ours = build_ours(arch=ARCH, expander=EXPANDER, all_positions=True)

    def sides(cost_volume):
        theirs = plain_step.PlainStep(cost_volume, ARCH, EXPANDER)
        theirs.load_pretrainer(ours.state_dict())
        return ours, theirs

    return sides


@pytest.mark.slow
@pytest.mark.parametrize('cost_volume', [shift_and_sum, unfold_and_einsum])
def test_terms_and_gradients_are_ours(sides, cost_volume, monkeypatch):
    from benchmarks.plain_step import plain_name

    # mmflow's Warp casts to float32; rounding is not what is tested here.
    monkeypatch.setattr(torch.Tensor, 'float', torch.Tensor.double)
    ours, theirs = (model.double() for model in sides(cost_volume))
    data = inputs(views=(4, 64), frames=(2, 64, 128))
    data = {task: x.double() for task, x in data.items()}
    found = theirs(*data.values())
    expected = named_terms(ours.loss(data))
    assert set(found) == set(expected)
    for name, term in expected.items():
        assert found[name].item() == pytest.approx(term.item(), rel=1e-9), name
        assert term.item() > 1e-6, name
    sum(found.values()).backward()
    sum(expected.values()).backward()
    theirs_params = dict(theirs.named_parameters())
    ours_params = {
        name: p for name, p in ours.named_parameters() if p.requires_grad
    }
    for name in WATCHED:
        grad = ours_params[name].grad
        error = theirs_params[plain_name(name)].grad - grad
        assert error.norm() <= 1e-7 * grad.norm(), name
        assert grad.norm() > 1e-6, name
