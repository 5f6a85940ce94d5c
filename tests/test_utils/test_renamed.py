"""Names of version 0.1."""

import importlib
import logging

import pytest

import mcjepa_mm.engine.hooks
from mcjepa_mm.registry import HOOKS


@pytest.mark.parametrize(
    ('module', 'old', 'new'),
    [
        ('mcjepa_mm.models.losses', 'variance', 'variance_loss'),
        (
            'mcjepa_mm.models.backbones',
            'TrainedBackbone',
            'BackboneCheckpoint',
        ),
        ('mcjepa_mm.apis', 'ObjectFollower', 'VOSInferencer'),
    ],
)
def test_an_old_import_works_and_says_the_new_name(module, old, new):
    module = importlib.import_module(module)
    with pytest.warns(FutureWarning, match=new):
        assert getattr(module, old) is getattr(module, new)
    with pytest.raises(AttributeError, match='no_such_name'):
        module.no_such_name  # noqa: B018


def test_an_old_type_is_built_and_says_the_new_name(caplog):
    with caplog.at_level(logging.WARNING):
        hook = HOOKS.build(dict(type='AgreementHook'))
    assert type(hook) is mcjepa_mm.engine.hooks.BatchConsistencyHook
