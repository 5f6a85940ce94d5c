"""Modules that torch.compile compiled compute what they computed before.

By 'aot_eager': the graphs of forward and backward, without generated code.
"""

from copy import deepcopy

import pytest
import torch
from mmengine.model import (
    ExponentialMovingAverage,
    MMDistributedDataParallel,
)
from torch import nn

from mcjepa_mm.models import MultiTaskPretrainer
from mcjepa_mm.models.pretrainers.compiled import compile_modules
from mcjepa_mm.registry import MODELS

CHANNELS = (4, 4, 8, 8, 10, 12)
STRIDES = (2, 4, 8, 16, 32, 64)
WEIGHTS = dict(variance=(1.0,) * 6, covariance=(1.0,) * 6)
NETWORKS = ('backbone', 'heads.motion.decoder', 'heads.content.expander')
LOSSES = (
    'heads.content.vicreg',
    'heads.motion.losses.rec',
    'heads.motion.losses.reg',
    'heads.motion.losses.smooth',
    'heads.motion.losses.cycle',
    'heads.motion.losses.vc',
)


@MODELS.register_module()
class Talkative(nn.Module):
    """An encoder that no graph holds."""

    def forward(self, x):
        print('no graph has this')
        return (x,)


def build(modules=None, **backbone):
    torch.manual_seed(0)
    backbone = backbone or dict(
        type='mcjepa_mm.MCJEPAConvNeXt',
        arch=dict(depths=(1, 1, 1, 1), channels=CHANNELS[2:]),
        layer_scale_init_value=0.0,
    )
    terms = dict(
        rec=dict(type='mcjepa_mm.PhotometricLoss', census=0.5),
        reg=dict(type='mcjepa_mm.FeatureRegressionLoss'),
        smooth=dict(type='mcjepa_mm.SmoothnessLoss'),
        cycle=dict(type='mcjepa_mm.CycleLoss'),
        vc=dict(type='mcjepa_mm.FeatureVCLoss', **WEIGHTS),
    )
    content = dict(
        type='mcjepa_mm.VICRegHead',
        in_channels=CHANNELS[-1],
        expander_channels=(8, 8, 6),
    )
    motion = dict(
        type='mcjepa_mm.FlowHead',
        decoder=dict(
            type='mcjepa_mm.FlowDecoder',
            in_channels=CHANNELS,
            strides=STRIDES,
            finest=3,
            radius=1,
            hidden=(6,),
        ),
        losses=terms,
        mean=(120.0, 115.0, 105.0),
        std=(60.0, 57.0, 58.0),
    )
    model = MultiTaskPretrainer(
        backbone,
        dict(content=content, motion=motion),
        compile=modules and dict(modules=modules, backend='aot_eager'),
    )
    return model.double()


def views(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        task: torch.randn(shape, dtype=torch.float64, generator=generator)
        for task, shape in (
            ('content', (3, 2, 3, 64, 64)),
            ('motion', (1, 2, 3, 64, 128)),
        )
    }


def losses_and_gradients(model, inputs):
    model.zero_grad()
    losses = model(inputs, mode='loss')
    sum(losses.values()).backward()
    grads = {name: x.grad for name, x in model.named_parameters()}
    return {k: x.detach() for k, x in losses.items()} | grads


@pytest.fixture(autouse=True)
def forgotten():
    """Start without what another test has compiled."""
    torch.compiler.reset()


@pytest.mark.slow
@pytest.mark.parametrize('modules', [NETWORKS, LOSSES])
def test_losses_and_gradients_stay_the_same(modules):
    expected = losses_and_gradients(build(), views())
    found = losses_and_gradients(build(modules), views())
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_the_names_of_weights_stay_and_checkpoints_load():
    plain, compiled = build(), build(NETWORKS)
    assert list(compiled.state_dict()) == list(plain.state_dict())
    for weight in compiled.parameters():
        weight.data.zero_()
    compiled.load_state_dict(plain.state_dict())
    x = torch.randn(4, CHANNELS[-1], dtype=torch.float64)
    expander = compiled.heads['content'].expander
    torch.testing.assert_close(expander(x), plain.heads['content'].expander(x))


def test_hooks_are_called_that_were_registered_later():
    expander = build(['heads.content.expander']).heads['content'].expander
    x = torch.randn(4, CHANNELS[-1], dtype=torch.float64)
    expander(x)
    heard = []
    handle = expander.register_forward_hook(lambda *call: heard.append(call))
    y = expander(x)
    handle.remove()
    expander(x)
    assert len(heard) == 1 and torch.equal(heard[0][2], y)


@pytest.mark.parametrize('copy', [deepcopy, ExponentialMovingAverage])
def test_a_copy_computes_with_its_own_weights(copy):
    model = build(['heads.content.expander'])
    x = torch.randn(4, CHANNELS[-1], dtype=torch.float64)
    before = model.heads['content'].expander(x)
    copied = copy(model)
    for weight in model.parameters():
        weight.data.zero_()
    copied = getattr(copied, 'module', copied)
    torch.testing.assert_close(copied.heads['content'].expander(x), before)
    assert not model.heads['content'].expander(x).any()


def test_what_fits_into_no_graph_is_an_error():
    model = build(['backbone'], type='Talkative')
    with pytest.raises(torch._dynamo.exc.Unsupported, match='print'):
        model.extract_feat(views()['motion'])


def test_evaluation_runs_as_it_is():
    model = build(['backbone'], type='Talkative').eval()
    assert len(model.extract_feat(views()['motion'])) == 1


@pytest.mark.parametrize(
    'name', ['encoder', 'heads.motion', 'heads.motion.losses', 'heads.x.y']
)
def test_a_name_that_is_not_called_is_refused(name):
    with pytest.raises(ValueError, match=f"calls no module '{name}'") as error:
        build(['backbone', name])
    listed = str(error.value).partition('It calls ')[2].split(' and ')[0]
    assert {*listed.split(', ')} == {
        'data_preprocessor',
        *NETWORKS,
        *LOSSES,
    }


@pytest.mark.parametrize('modules', ['backbone', []])
def test_modules_are_a_list_of_names(modules):
    with pytest.raises(ValueError, match=r'modules=\[.backbone.\]'):
        compile_modules(build(), modules)


def share(rank, folder):
    return [
        losses_and_gradients(
            MMDistributedDataParallel(build(modules), device_ids=None),
            views(rank),
        )
        for modules in (None, NETWORKS)
    ]


@pytest.mark.slow
def test_several_processes(two_processes, tmp_path):
    plain, compiled = two_processes(__file__, tmp_path)[0]
    torch.testing.assert_close(compiled, plain, rtol=1e-9, atol=1e-12)
