import pytest
import torch

from mcjepa_mm.models.backbones import MCJEPAConvNeXt

ARCH = dict(depths=(1, 2, 1, 1), channels=(8, 16, 24, 32))


@pytest.fixture
def encoder():
    """Make an encoder whose every weight is its own random number."""

    def encoder(**settings):
        torch.manual_seed(0)
        model = MCJEPAConvNeXt(**dict(dict(arch=ARCH), **settings))
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.uniform_(0.1, 0.6)
        return model.eval()

    return encoder


@pytest.fixture
def save(tmp_path):
    """Save an encoder as a pretraining of it would; return the path."""

    def save(model, name='epoch_3.pth', **meta):
        weights = {f'backbone.{k}': v for k, v in model.state_dict().items()}
        content = dict(
            meta=dict(
                experiment_name='toy_20260102_030405',
                epoch=3,
                iter=12,
                cfg='a = 1',
                time='20260102_040506',
                **meta,
            ),
            state_dict=dict(weights, **{'heads.weight': torch.ones(2)}),
            optimizer=dict(state=torch.ones(3)),
        )
        path = tmp_path / name
        torch.save(content, path)
        return path

    return save
