import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mcjepa_mm.apis.flow_model import get_flow_model
from mcjepa_mm.models import MCJEPAFlow
from mcjepa_mm.registry import MODELS
from mcjepa_mm.utils.checkpoint import encode_checkpoint

PRETRAINING = """
_base_ = '{config}'
flow = _base_.model
model = dict(
    _delete_=True,
    type='mcjepa_mm.MultiTaskPretrainer',
    backbone=flow.backbone,
    heads=dict(
        motion=flow.head,
        content=dict(
            type='VICRegHead',
            expander_channels=(8, 8),
            vicreg=dict(type='VICRegLoss'),
        ),
    ),
    data_preprocessor=dict(
        type='MultiTaskDataPreprocessor',
        tasks=dict(
            motion=dict(
                type='ViewsDataPreprocessor',
                mean=flow.data_preprocessor.mean,
                std=flow.data_preprocessor.std,
            )
        ),
    ),
)
"""


@pytest.fixture
def checkpoint(model, tmp_path):
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def assert_same(model, other):
    a, b = model.state_dict(), other.state_dict()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_from_a_file_a_config_and_a_model(config, checkpoint, model):
    for source in (config, str(config), Config.fromfile(config)):
        found = get_flow_model(source, checkpoint, 'cpu')
        assert isinstance(found, MCJEPAFlow) and not found.training
        assert_same(found, model)
    empty = MODELS.build(Config.fromfile(config).model)
    assert get_flow_model(empty, str(checkpoint)) is empty
    assert_same(empty, model)


def test_under_the_scope_of_another_project(config, checkpoint, model):
    with DefaultScope.overwrite_default_scope('mmflow'):
        assert_same(get_flow_model(config, checkpoint, 'cpu'), model)
    cfg = Config.fromfile(config)
    cfg.default_scope = 'mcjepa_mm'
    assert_same(get_flow_model(cfg, checkpoint, 'cpu'), model)


def test_a_pretraining_gives_its_motion_half(config, tmp_path):
    path = tmp_path / 'pretraining.py'
    path.write_text(PRETRAINING.format(config=config))
    cfg = Config.fromfile(path)
    with DefaultScope.overwrite_default_scope('mcjepa_mm'):
        pretrainer = MODELS.build(cfg.model)
    # as a distributed run saves it
    state = {f'module.{k}': v for k, v in pretrainer.state_dict().items()}
    meta = dict(cfg=cfg.pretty_text)
    torch.save(dict(state_dict=state, meta=meta), tmp_path / 'epoch_1.pth')
    found = get_flow_model(path, tmp_path / 'epoch_1.pth', 'cpu')
    assert_same(get_flow_model(tmp_path / 'epoch_1.pth', device='cpu'), found)
    assert_same(found.backbone, pretrainer.backbone)
    assert_same(found.head, pretrainer.heads.motion)
    expected = get_flow_model(
        config, tmp_path / 'epoch_1.pth', 'cpu'
    ).data_preprocessor
    ours = found.data_preprocessor
    assert type(ours) is type(expected)
    assert torch.equal(ours.mean, expected.mean)
    assert torch.equal(ours.std, expected.std)
    assert ours.channel_conversion and expected.channel_conversion

    cfg.model.backbone.frozen_stages = 6  # in the pretraining
    found = get_flow_model(cfg, tmp_path / 'epoch_1.pth', 'cpu')
    assert all(x.requires_grad for x in found.parameters())

    del cfg.model.heads['motion']
    with pytest.raises(ValueError, match=r"'motion'.*\['content'\]"):
        get_flow_model(cfg, tmp_path / 'epoch_1.pth', 'cpu')


def test_weights_of_another_size_say_theirs(config):
    with pytest.raises(ValueError, match=r'micro .*channels.*48, 96, 160'):
        get_flow_model(config, 'micro', 'cpu')


def test_other_models_are_refused():
    with pytest.raises(TypeError, match='Linear'):
        get_flow_model(torch.nn.Linear(1, 1))


def test_a_file_without_a_config_cannot_stand_alone(tmp_path):
    path = tmp_path / 'a.safetensors'
    weights = {'x': torch.zeros(1)}
    path.write_bytes(encode_checkpoint(weights, {}, suffix=path.suffix))
    with pytest.raises(ValueError, match='a.safetensors hold .*no config'):
        get_flow_model(path)
