"""The motion task: its terms, its directions, its masks."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import nn

from mcjepa_mm.models.flow import warp
from mcjepa_mm.models.heads import FlowHead
from mcjepa_mm.models.heads.flow_head import bidirectional_pairs
from mcjepa_mm.models.losses import smoothness_loss
from mcjepa_mm.registry import MODELS

MEAN, STD = (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)
TERMS = dict(
    rec=dict(type='mcjepa_mm.PhotometricLoss', ssim=0.0),
    reg=dict(type='mcjepa_mm.FeatureRegressionLoss', loss_weight=3.0),
    smooth=dict(type='mcjepa_mm.SmoothnessLoss', loss_weight=2.0),
    cycle=dict(type='mcjepa_mm.CycleLoss', loss_weight=0.5),
    vc=dict(
        type='mcjepa_mm.FeatureVCLoss',
        variance=(1.0, 1.0),
        covariance=(1.0, 1.0),
    ),
)


@MODELS.register_module()
class FixedFlow(nn.Module):
    """A decoder whose flows are given: forward, then backward."""

    def __init__(self):
        super().__init__()
        self.flows = None

    def forward(self, feats1, feats2):
        return self.flows


class Kept(nn.Module):
    """A loss that keeps what it compares."""

    def forward(self, z1, z2):
        self.compared = z1, z2
        return {}


def build(**kwargs):
    args = dict(
        decoder=dict(type='mcjepa_mm.FixedFlow'),
        losses=TERMS,
        mean=MEAN,
        std=STD,
    )
    return FlowHead(**{**args, **kwargs}).double()


def example(head, n=2):
    """Two levels at strides 2 and 4, flow on both; sample-major features."""
    torch.manual_seed(0)
    inputs = torch.randn(n, 2, 3, 16, 24, dtype=torch.float64)
    feats = tuple(
        torch.randn(2 * n, c, 16 // s, 24 // s, dtype=torch.float64)
        for c, s in ((3, 2), (5, 4))
    )
    head.decoder.flows = tuple(
        torch.randn(2 * n, 2, 16 // s, 24 // s, dtype=torch.float64)
        for s in (2, 4)
    )
    return inputs, feats


def test_terms_equal_the_formulas_without_a_mask():
    head = build(occlusion_weight=0.0, bidirectional=False)
    inputs, feats = example(head)
    terms = head.loss(feats, inputs, None)

    n = 2
    forward = [f[:n] for f in head.decoder.flows]
    backward = [f[n:] for f in head.decoder.flows]
    image = inputs * torch.tensor(STD).view(3, 1, 1) / 255
    image = image + torch.tensor(MEAN).view(3, 1, 1) / 255
    full = 2 * F.interpolate(
        forward[0], scale_factor=2, mode='bilinear', align_corners=False
    )
    gap = image[:, 0] - warp(image[:, 1], full)
    expected = dict(rec=(gap.abs() + gap**2).mean())
    reg = cycle = 0
    for feat, f, b in zip(feats, forward, backward, strict=True):
        first, second = feat[0::2], feat[1::2]
        reg = reg + ((first - warp(second, f)) ** 2).mean()
        there_and_back = warp(warp(first, b), f)
        cycle = cycle + ((first - there_and_back) ** 2).mean()
    expected['reg'], expected['cycle'] = 3 * reg, 0.5 * cycle
    # second differences at the image's size, in units of its shorter side
    bends = dict(
        x=(full[..., 2:] - 2 * full[..., 1:-1] + full[..., :-2]) / 16,
        y=(full[:, :, 2:] - 2 * full[:, :, 1:-1] + full[:, :, :-2]) / 16,
    )
    steps = dict(
        x=image[:, 0, ..., 2:] - image[:, 0, ..., :-2],
        y=image[:, 0, :, 2:] - image[:, 0, :, :-2],
    )
    expected['smooth'] = 2 * sum(
        (steps[a].abs().mean(1, keepdim=True).mul(-10).exp() * bends[a].abs())
        .mean()
        .div(2)
        for a in 'xy'
    )
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value)
    assert set(terms) == {*expected, 'vc_variance', 'vc_covariance'}


def test_rec_at_the_flows_of_levels():
    """The error of images at a level's size, beside that at their own."""
    losses = dict(rec=TERMS['rec'])
    options = dict(losses=losses, occlusion_weight=0.0, bidirectional=False)
    weights = dict(rec_levels=(0.0, 0.5), rec_levels_weight=0.5)
    inputs, feats = example(head := build(**weights, **options))
    plain = build(**options)
    plain.decoder.flows = head.decoder.flows
    image = inputs * torch.tensor(STD).view(3, 1, 1) / 255
    image = image + torch.tensor(MEAN).view(3, 1, 1) / 255
    # every 4 x 4 pixels of a frame are one of the level of stride 4
    small = image.unflatten(-1, (6, 4)).unflatten(-3, (4, 4)).mean((-1, -3))
    gap = small[:, 0] - warp(small[:, 1], head.decoder.flows[1][:2])
    torch.testing.assert_close(
        head.loss(feats, inputs, None)['rec'],
        plain.loss(feats, inputs, None)['rec']
        + (gap.abs() + gap**2).mean() / 4,
    )


def test_smoothness_and_slowness_of_the_levels_flows():
    losses = dict(
        smooth=TERMS['smooth'],
        slow=dict(type='mcjepa_mm.SlownessLoss', loss_weight=0.5),
    )
    inputs, feats = example(head := build(losses=losses, bidirectional=False))
    fine, coarse = head.decoder.flows
    plain = head.loss(feats, inputs, None)
    head.smooth_levels = (0.0, 0.5)
    terms = head.loss(feats, inputs, None)
    image = inputs * torch.tensor(STD).view(3, 1, 1) / 255
    image = image + torch.tensor(MEAN).view(3, 1, 1) / 255
    small = image.unflatten(-1, (6, 4)).unflatten(-3, (4, 4)).mean((-1, -3))
    torch.testing.assert_close(
        terms['smooth'],
        plain['smooth'] + smoothness_loss(coarse[:2], small[:, 0]),
    )
    torch.testing.assert_close(
        terms['slow'],
        (fine[:2].abs().mean() / 8 + coarse[:2].abs().mean() / 4) / 2,
    )


def test_both_directions_are_the_mean_of_the_two():
    """Bidirectional = half of forward plus half of the swapped pair."""
    inputs, feats = example(head := build(occlusion_weight=0.0))
    flows = head.decoder.flows
    both = head.loss(feats, inputs, None)
    one = build(occlusion_weight=0.0, bidirectional=False)
    one.decoder.flows = flows
    forward = one.loss(feats, inputs, None)
    one.decoder.flows = tuple(torch.cat([f[2:], f[:2]]) for f in flows)
    backward = one.loss(
        tuple(f[[1, 0, 3, 2]] for f in feats), inputs.flip(1), None
    )
    for name in both:
        torch.testing.assert_close(
            both[name], (forward[name] + backward[name]) / 2
        )


@pytest.mark.parametrize('occlusion', ['forward_backward', 'range_map'])
def test_the_mask_is_warmed_in(occlusion):
    """A wrong pixel that nothing sees counts less and less."""
    head = build(
        occlusion=occlusion,
        losses=dict(rec=TERMS['rec']),
        bidirectional=False,
    )
    inputs = torch.zeros(1, 2, 3, 16, 24, dtype=torch.float64)
    feats = (torch.zeros(2, 3, 8, 12, dtype=torch.float64),)
    # Everything moves 8 px right (4 on the level): the last 8 columns leave.
    flow = torch.zeros(2, 2, 8, 12, dtype=torch.float64)
    flow[0, 0], flow[1, 0] = 4, -4
    head.decoder.flows = (flow,)
    inputs[0, 0, :, :, 20:] = 1.0  # only seen in frame t
    errors = []
    for weight in (0.0, 0.5, 1.0):
        head.occlusion_weight = weight
        errors.append(head.loss(feats, inputs, None)['rec'].item())
    assert errors[0] > errors[1] > errors[2] == 0.0


def test_gradients_reach_encoder_and_decoder():
    head = build(
        decoder=dict(
            type='mcjepa_mm.FlowDecoder',
            in_channels=(3, 5),
            strides=(2, 4),
            radius=1,
            hidden=(4,),
        ),
        occlusion_weight=0.0,
    )
    head.init_weights()
    inputs = torch.randn(2, 2, 3, 16, 24, dtype=torch.float64)
    feats = tuple(
        torch.randn(
            4, c, 16 // s, 24 // s, dtype=torch.float64
        ).requires_grad_()
        for c, s in ((3, 2), (5, 4))
    )
    sum(head.loss(feats, inputs, None).values()).backward()
    assert all(f.grad.abs().sum() > 0 for f in feats)
    for name, p in head.named_parameters():
        assert p.grad is not None, name


def test_predict_gives_pixels_of_the_image():
    head = build()
    inputs, feats = example(head)
    for flow in head.decoder.flows:
        flow.zero_()
    head.decoder.flows[0][0, 0] = 1.0  # sample 0, forward
    head.decoder.flows[0][3, 1] = -2.0  # sample 1, backward
    results = head.predict(feats, inputs, [BaseDataElement() for _ in '12'])
    assert results[0].pred_flow_fw.data.shape == (2, 16, 24)
    assert (results[0].pred_flow_fw.data[0] == 2.0).all()
    assert (results[1].pred_flow_bw.data[1] == -4.0).all()
    assert (results[0].pred_flow_bw.data == 0).all()
    # The backward flow is zero, so nothing returns: all occluded.
    assert (results[0].pred_occ_fw.data == 1).all()
    assert results[1].pred_occ_bw.data.shape == (1, 16, 24)


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(losses=dict(foo=TERMS['rec'])), 'foo'),
        (dict(losses={}), 'must name some'),
        (dict(occlusion='none'), "'none'"),
    ],
)
def test_bad_arguments_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)


@pytest.mark.parametrize(
    'occlusion, cfg',
    [
        ('forward_backward', dict(alpha=0.0, beta=1e9)),
        ('range_map', dict(threshold=0.0)),
    ],
)
def test_thresholds_of_occlusion_can_be_set(occlusion, cfg):
    flow = torch.zeros(2, 2, 8, 8, dtype=torch.float64)
    flow[:1, 0, 2:6, 2:6] = 1  # and nothing comes back
    assert not build(occlusion=occlusion).visibility(flow).all()
    head = build(occlusion=occlusion, occlusion_cfg=cfg)
    assert head.visibility(flow).all()
    with pytest.raises(ValueError, match="may set .* got .'gamma'"):
        build(occlusion=occlusion, occlusion_cfg=dict(gamma=1))


def test_one_frame_is_refused():
    head = build()
    inputs, feats = example(head)
    with pytest.raises(ValueError, match='pack 2 views'):
        head.loss(feats, inputs[:, :1], None)


def test_both_ways_pairs_the_two_frames():
    source, target = bidirectional_pairs(torch.arange(4).view(2, 2))
    assert source.tolist() == [0, 2, 1, 3]
    assert target.tolist() == [1, 3, 0, 2]


def test_student_term_asks_the_encoder_again():
    """Not before its weight is raised; the student alone has a gradient."""
    student = dict(
        type='mcjepa_mm.SelfSupervisionLoss', border=4, loss_weight=0.0
    )
    head = build(losses=dict(rec=TERMS['rec'], student=student))
    inputs, feats = example(head)
    assert 'student' not in head.loss(feats, inputs, encode=None)

    head.losses['student'].loss_weight = 1.0
    calls = []

    def encode(views):
        calls.append(views)
        return feats

    assert head.loss(feats, inputs, encode)['student'] >= 0
    (views,) = calls
    assert views.shape == inputs.shape
    assert not torch.equal(views, inputs)


@pytest.mark.parametrize(
    'terms, warps',
    [(('reg',), 2), (('cycle',), 4), (('reg', 'cycle'), 4)],
)
def test_a_map_is_warped_once_by_a_flow(terms, warps):
    """The cycle goes on from what the other direction was compared with."""
    head = build(
        losses={name: TERMS[name] for name in terms}, occlusion='range_map'
    )
    inputs, feats = example(head)
    with torch.profiler.profile() as profile:
        head.loss(feats, inputs, None)
    counts = {e.key: e.count for e in profile.key_averages()}
    assert counts['aten::grid_sampler_2d'] == warps  # of two levels


@pytest.mark.parametrize('by_flow', [True, False])
def test_dense_term_matches_by_the_flow(by_flow):
    """On ramps whose flow is exact, matching points hold their positions."""
    dense = dict(
        type='mcjepa_mm.DenseVICReg',
        in_channels=[3],
        levels=(0,),
        window=16,
        max_offset=4,
        color=0.0,
        by_flow=by_flow,
        expander_channels=(4, 4),
    )
    head = build(losses=dict(dense=dense))
    head.losses['dense'].expanders[0] = nn.Identity()
    head.losses['dense'].vicreg = Kept()
    y, x = torch.meshgrid(
        *(torch.arange(40, dtype=torch.float64),) * 2, indexing='ij'
    )
    moved = torch.stack([x + 3, y - 2, 0 * x])
    inputs = torch.stack([torch.stack([x, y, 0 * x]), moved])
    inputs = inputs.expand(2, -1, -1, -1, -1)
    # what the second frame shows at x - 3, y + 2 is what the first has at x, y
    flow = torch.tensor([-3.0, 2.0], dtype=torch.float64)[:, None, None]
    flow = torch.stack([flow, flow, -flow, -flow]).expand(-1, -1, 40, 40)
    head.decoder.flows = (flow.clone().requires_grad_(),)
    terms = head.loss(
        (inputs.flatten(0, 1),), inputs, lambda x: [x.flatten(0, 1)]
    )
    assert not terms  # the comparison returned none
    first, second = head.losses['dense'].vicreg.compared
    torch.testing.assert_close(first, second, atol=1e-4, rtol=0)
    assert not second.requires_grad  # no gradient for the flow
    assert len(first) == 4 * 16  # both directions
