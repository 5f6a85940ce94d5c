import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

import mcjepa_mm  # noqa: F401  (patches imports)
from mcjepa_mm.models.heads import DistillationHead
from mcjepa_mm.models.heads.distillation_head import map_distance
from mcjepa_mm.registry import MODELS

ARCH = dict(depths=(1, 1, 1, 1), channels=(8, 16, 24, 32))
TEACHER = dict(type='mcjepa_mm.MCJEPAConvNeXt', arch=ARCH)
MMPRETRAIN = dict(
    type='mmpretrain.ConvNeXt',
    arch=ARCH,
    out_indices=(0, 1, 2, 3),
    gap_before_final_norm=False,
)
TIMM = dict(
    type='mmpretrain.TIMMBackbone',
    model_name='resnet10t',
    features_only=True,
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mcjepa_mm')


@pytest.fixture
def pretrainer():
    """Make a pretrainer whose one task is this one."""

    def pretrainer(**head):
        torch.manual_seed(0)
        head = dict(
            type='DistillationHead', **dict(dict(teacher=TEACHER), **head)
        )
        views = dict(
            type='ViewsDataPreprocessor', mean=[120.0] * 3, std=[60.0] * 3
        )
        model = MODELS.build(
            dict(
                type='MultiTaskPretrainer',
                backbone=TEACHER,
                heads=dict(distill=head),
                data_preprocessor=dict(
                    type='MultiTaskDataPreprocessor', tasks=dict(distill=views)
                ),
            )
        )
        model.init_weights()
        return model

    return pretrainer


def batch(n=4):
    torch.manual_seed(1)
    views = torch.randint(256, (n, 1, 3, 64, 64), dtype=torch.uint8)
    return dict(distill=dict(inputs=views))


def test_distances_are_the_formulas():
    torch.manual_seed(0)
    x, y = torch.randn(2, 3, 5, 4, 6, dtype=torch.float64)
    cosines, smooth = [], []
    for n in range(3):
        for i in range(4):
            for j in range(6):
                a, b = x[n, :, i, j], y[n, :, i, j]
                cosines.append(a @ b / (a.norm() * b.norm()))
                a, b = (
                    (z - z.mean()) / (z.var(correction=0) + 1e-5).sqrt()
                    for z in (a, b)
                )
                gap = (a - b).abs()
                smooth += torch.where(gap < 1, gap**2 / 2, gap - 0.5).tolist()
    torch.testing.assert_close(
        map_distance(x, y, 'cosine'), 1 - torch.stack(cosines).mean()
    )
    torch.testing.assert_close(
        map_distance(x, y, 'smooth_l1'),
        torch.tensor(smooth, dtype=torch.float64).mean(),
    )


@pytest.mark.parametrize('kind', ['cosine', 'smooth_l1'])
def test_maps_of_other_sizes(kind):
    """A ramp that is resized is the ramp; half a map is its means."""
    x = torch.arange(8.0).expand(8, 8)
    ramp = torch.stack([x, 4 - x, 1 + 0 * x])[None]
    coarse = F.avg_pool2d(ramp, 2)
    inner = (..., slice(1, -1))
    for a, b in [(ramp, coarse), (coarse, ramp)]:
        resized = F.interpolate(
            a, b.shape[2:], mode='bilinear', antialias=True
        )
        torch.testing.assert_close(resized[inner], b[inner])
        turned = map_distance(a.flip(3), b, kind)
        assert 20 * map_distance(a, b, kind) < turned


@pytest.mark.parametrize(
    'head, counted',
    [
        (dict(levels=((-1, -1), (3, 3)), distance='smooth_l1'), 2),
        (dict(teacher=MMPRETRAIN, teacher_channels=[32]), 1),
        (
            dict(
                teacher=TIMM,
                levels=((4, 2), (5, 4)),
                teacher_channels=[128, 512],
            ),
            2,
        ),
    ],
    ids=['ours', 'mmpretrain', 'timm'],
)
def test_ten_steps_come_nearer_and_leave_the_teacher(
    pretrainer, head, counted
):
    model = pretrainer(**head)
    head = model.heads['distill']
    assert len(head.projections) == counted
    before = copy.deepcopy(head.teacher.state_dict())
    wrapper = build_optim_wrapper(
        model, dict(optimizer=dict(type='AdamW', lr=3e-3))
    )
    model.train()
    losses = [model.train_step(batch(), wrapper)['loss'] for _ in range(10)]
    assert losses[-1] < 0.8 * losses[0]
    assert not any(x.training for x in head.teacher.modules())
    after = head.teacher.state_dict()
    assert all(torch.equal(after[key], x) for key, x in before.items())
    own = {id(x) for x in head.teacher.parameters()}
    assert own.isdisjoint(map(id, model.parameters()))
    assert all('projections' in key for key in model.heads.state_dict())


def test_the_teacher_has_the_weights_of_its_file(pretrainer, tmp_path):
    torch.manual_seed(5)
    weights = MODELS.build(TEACHER).state_dict()
    path = str(tmp_path / 'teacher.pth')
    torch.save(weights, path)
    init_cfg = dict(type='Pretrained', checkpoint=path)
    head = pretrainer(teacher=dict(TEACHER, init_cfg=init_cfg)).heads
    found = head['distill'].teacher.state_dict()
    assert all(torch.equal(found[key], x) for key, x in weights.items())


def test_the_teacher_follows_the_images():
    head = DistillationHead([4], MMPRETRAIN, teacher_channels=[32])
    maps = head.targets(torch.zeros(2, 1, 3, 64, 64, device='meta'))
    assert {x.device.type for x in (*maps, *head.teacher.parameters())} == {
        'meta'
    }


def test_settings_that_do_not_fit(pretrainer):
    for settings, named in [
        (dict(distance='l3'), 'l3'),
        (dict(levels=((6, 5),)), 'map 6 of the encoder'),
        (dict(levels=((5, 6),)), 'map 6 of the teacher'),
        (dict(teacher=MMPRETRAIN), 'teacher_channels'),
        (dict(teacher_channels=[32, 32]), r'\[32, 32\]'),
    ]:
        with pytest.raises(ValueError, match=named):
            pretrainer(**settings)
    model = pretrainer(teacher=MMPRETRAIN, teacher_channels=[31])
    with pytest.raises(ValueError, match='31.*32.*teacher_channels'):
        model(model.data_preprocessor(batch())['inputs'], mode='loss')
