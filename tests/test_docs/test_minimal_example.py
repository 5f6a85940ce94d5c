"""The page that shows the method: it is the package's loss, and it trains."""

import importlib.util

import pytest
import torch
from torch import nn

from mcjepa_mm.models.heads import FlowHead, VICRegHead


@pytest.fixture
def page(repo):
    path = repo / 'examples' / 'mcjepa_minimal.py'
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def model(page):
    torch.manual_seed(0)
    model = page.MCJEPA().double()
    for name, weight in model.decoder.named_parameters():
        if 'predict.weight' in name:  # a flow that is not nearly zero
            nn.init.normal_(weight, std=0.1)
    return model


def pair(images):
    return torch.rand(images, 2, 3, 64, 64, dtype=torch.float64)


def features(model, images):
    return model.features(images.flatten(0, 1))


def test_motion_is_the_package_s(page, model):
    head = FlowHead(
        dict(
            type='mcjepa_mm.FlowDecoder',
            in_channels=model.encoder.out_channels,
            strides=model.encoder.out_strides,
            finest=page.FINEST,
            radius=3,
            volume_scale='sqrt',
            hidden=(48, 32, 24),
        ),
        dict(
            rec=dict(type='mcjepa_mm.PhotometricLoss'),
            reg=dict(type='mcjepa_mm.FeatureRegressionLoss', loss_weight=0.01),
            smooth=dict(type='mcjepa_mm.SmoothnessLoss', loss_weight=20.0),
            cycle=dict(type='mcjepa_mm.CycleLoss', loss_weight=0.002),
            vc=dict(
                type='mcjepa_mm.FeatureVCLoss',
                mean=page.MEAN,
                loss_weight=0.01,
            ),
        ),
        mean=(0.45 * 255,) * 3,
        std=(0.225 * 255,) * 3,
        occlusion_weight=0.5,
        rec_levels=(0.0, 0.0, 1.0, 1.0, 1.0, 0.0),
    ).double()
    head.decoder.load_state_dict(model.decoder.state_dict())
    frames = pair(1)  # more would be more positions than are drawn
    inputs = (frames - 0.45) / 0.225
    terms = head.loss(features(model, frames), inputs, None)
    loss = model.motion_loss(frames.transpose(0, 1).flatten(0, 1), 0.5)
    torch.testing.assert_close(loss, sum(terms.values()), rtol=1e-6, atol=0)


def test_content_is_the_package_s(model):
    head = VICRegHead(
        128,
        (512, 128),
        vicreg=dict(type='mcjepa_mm.VICRegLoss', invariance=6.0),
    ).double()
    head.expander.load_state_dict(model.expander.state_dict())
    views = pair(4)
    terms = head.loss(features(model, views), views)
    loss = model.content_loss(*views.unbind(1))
    torch.testing.assert_close(loss, sum(terms.values()))


def test_colours_are_turned_about_gray(page):
    gray = torch.rand(1, 1, 1, 1).expand(3, 3, 8, 8)
    view = page.augment(gray)
    torch.testing.assert_close(view, view.mean(1, True).expand_as(view))


def test_ten_steps(page):
    torch.manual_seed(0)
    model = page.MCJEPA()
    before = {k: v.detach().clone() for k, v in model.named_parameters()}
    losses = page.train(model, 10, batch=(8, 2))
    assert torch.tensor(losses).isfinite().all()
    for name, weight in model.named_parameters():
        assert weight.isfinite().all(), name
        assert not torch.equal(weight, before[name]), name
    found = page.evaluate(model, pairs=2, images=40)
    assert found['epe'] > 0 and found['epe_of_zero_flow'] > 0
    assert 0 <= found['knn'] <= 1
