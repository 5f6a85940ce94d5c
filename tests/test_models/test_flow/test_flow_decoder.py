"""The coarse-to-fine recursion."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from mcjepa_mm.models.flow import (
    FlowDecoder,
    cost_volume,
    median_filter,
    propagate_flow,
    warp,
)
from mcjepa_mm.models.flow.flow_decoder import _normalize

CHANNELS, STRIDES = (4, 6, 8), (2, 4, 8)


def pyramids(size=32, n=2, dtype=torch.float32):
    torch.manual_seed(1)
    return [
        [
            torch.randn(n, c, size // s, 2 * size // s, dtype=dtype)
            for c, s in zip(CHANNELS, STRIDES, strict=True)
        ]
        for _ in range(2)
    ]


def build(**kwargs):
    torch.manual_seed(0)
    decoder = FlowDecoder(CHANNELS, STRIDES, radius=2, hidden=(8, 6), **kwargs)
    decoder.init_weights()
    return decoder


def jolt(decoder):
    """Weights that give a flow worth looking at."""
    for name, p in decoder.named_parameters():
        if 'predict.weight' in name or 'context.6.weight' in name:
            torch.nn.init.normal_(p, std=0.1)
    return decoder


@pytest.mark.parametrize('finest', [0, 1, 2])
@pytest.mark.parametrize('shared', [False, True])
@pytest.mark.parametrize('context', [False, True])
def test_shapes(finest, shared, context):
    flows = build(finest=finest, shared=shared, context=context)(*pyramids())
    assert [tuple(f.shape) for f in flows] == [
        (2, 2, 32 // s, 64 // s) for s in STRIDES[finest:]
    ]


@pytest.mark.parametrize('scale', ['mean', 'sqrt'])
def test_equals_the_recursion_written_out(scale):
    """f_l = u_l + F_l(c(X_t, warp(X_{t+1}, u_l)), X_t, u_l), u = 2 up(f)."""
    decoder = jolt(build(volume_scale=scale)).double()
    feats1, feats2 = pyramids(dtype=torch.float64)
    flow = torch.zeros(2, 2, 4, 8, dtype=torch.float64)
    expected = []
    for level in (2, 1, 0):
        if level < 2:
            flow = 2 * F.interpolate(
                flow, scale_factor=2, mode='bilinear', align_corners=False
            )
        volume = cost_volume(
            feats1[level],
            warp(feats2[level], flow, padding_mode='zeros'),
            2,
        )
        if scale == 'sqrt':
            volume = volume * CHANNELS[level] ** 0.5
        x = torch.cat([F.leaky_relu(volume, 0.1), feats1[level], flow], dim=1)
        stage = decoder.estimators[str(level)]
        for conv, norm, _ in stage.layers:
            x = F.conv2d(x, conv.weight, conv.bias, padding=1)
            mean = x.mean(1, keepdim=True)
            std = (x.var(1, keepdim=True, unbiased=False) + norm.eps).sqrt()
            x = (x - mean) / std * norm.weight.view(1, -1, 1, 1)
            x = F.leaky_relu(x + norm.bias.view(1, -1, 1, 1), 0.1)
        residual = F.conv2d(
            x, stage.predict.weight, stage.predict.bias, padding=1
        )
        # 20 pixels of the image in pixels of this level
        flow = flow + residual * 20 / STRIDES[level]
        expected.insert(0, flow)
    assert max(f.abs().max() for f in expected) > 0.1
    for mine, other in zip(decoder(feats1, feats2), expected, strict=True):
        torch.testing.assert_close(mine, other)


def test_clip_holds_on_every_level():
    decoder = build(max_flow=3.0)
    for estimator in decoder.estimators.values():
        torch.nn.init.constant_(estimator.predict.bias, 100.0)
    for flow in decoder(*pyramids()):
        assert (flow == 3.0).all()


def test_starts_near_zero():
    assert all(f.abs().max() < 0.2 for f in build()(*pyramids()))


def test_gradients_reach_every_parameter():
    for shared in (False, True):
        decoder = jolt(build(shared=shared, context=True))
        feats1, feats2 = pyramids()
        for feat in feats1 + feats2:
            feat.requires_grad_()
        sum(f.square().sum() for f in decoder(feats1, feats2)).backward()
        for name, p in decoder.named_parameters():
            assert p.grad is not None and p.grad.abs().sum() > 0, name
        assert all(f.grad is not None for f in feats1 + feats2)


def test_gradcheck():
    decoder = jolt(FlowDecoder((2, 2), (1, 2), radius=1, hidden=(3,)).double())
    torch.manual_seed(3)
    feats = [
        torch.randn(1, 2, 4 // s, 4 // s, dtype=torch.float64).requires_grad_()
        for s in (1, 2) * 2
    ]
    assert torch.autograd.gradcheck(
        lambda a, b, c, d: decoder((a, b), (c, d)), feats
    )


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_keeps_the_flow_in_float32(dtype):
    decoder = jolt(build())
    with torch.autocast('cpu', dtype=dtype):
        flows = decoder(*pyramids())
    assert all(f.dtype == torch.float32 for f in flows)
    assert all(f.isfinite().all() for f in flows)


def test_float16_is_normalised_in_float32():
    # the variance, 90000, leaves float16's range
    feats = [(300 * level[0]).half() for level in pyramids()]
    for found, x in zip(_normalize(*feats), feats, strict=True):
        both = torch.stack(feats).double()
        std, mean = torch.std_mean(both, dim=(0, 2, 3, 4), correction=1)
        expected = (x - mean.view(-1, 1, 1, 1)) / std.view(-1, 1, 1, 1)
        assert found.dtype == torch.float16
        assert (found - expected).abs().max() < 2e-3


def test_wrong_pyramids_are_named():
    feats1, feats2 = pyramids()
    with pytest.raises(ValueError, match=r'\(4, 6, 8\) channels, got \(4, 6'):
        build()(feats1[:2], feats2[:2])
    feats1[2] = feats1[2][..., :-1]
    with pytest.raises(ValueError, match='multiple of 8 pixels'):
        build()(feats1, feats2)


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(strides=(2, 4)), 'one stride a level'),
        (dict(strides=(8, 4, 2)), 'growing'),
        (dict(strides=STRIDES, volume_scale='max'), "'max'"),
        (dict(strides=STRIDES, finest=3), '0 to 2, got 3'),
    ],
)
def test_bad_arguments_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        FlowDecoder(CHANNELS, **kwargs)


def test_pretrained_decoder_is_not_initialised_over(tmp_path):
    path = str(tmp_path / 'decoder.pth')
    torch.save(jolt(build()).state_dict(), path)
    decoder = FlowDecoder(
        CHANNELS,
        STRIDES,
        radius=2,
        hidden=(8, 6),
        init_cfg=dict(type='Pretrained', checkpoint=path),
    )
    decoder.init_weights()
    weights = torch.load(path)
    assert torch.equal(
        decoder.estimators['1'].predict.weight,
        weights['estimators.1.predict.weight'],
    )


def test_normalised_volume_is_the_written_formula():
    """Both maps of a sample together get mean 0 and variance 1 (UFlow)."""
    feats1, feats2 = pyramids(dtype=torch.float64)
    # What normalising undoes: another scale and offset for each sample.
    scale = torch.tensor([3.0, 0.2]).view(2, 1, 1, 1)
    decoder = build(finest=2, normalize=True).double()
    seen = []
    decoder.estimators['2'].register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    decoder(feats1, feats2)
    decoder([scale * x + 5 for x in feats1], [scale * x + 5 for x in feats2])
    area = (2 * 2 + 1) ** 2
    a, b = feats1[2][0], feats2[2][0]
    values = torch.cat([a.flatten(), b.flatten()])
    a, b = ((x - values.mean()) / values.std() for x in (a, b))
    expected = F.leaky_relu(cost_volume(a[None], b[None], 2), 0.1)
    torch.testing.assert_close(
        seen[0][:1, :area], expected, atol=1e-6, rtol=1e-5
    )
    torch.testing.assert_close(
        seen[1][:, :area], seen[0][:, :area], atol=1e-4, rtol=1e-4
    )


def test_level_dropout_leaves_samples_residuals_out_in_training():
    decoder = jolt(build(finest=2, level_dropout=0.5)).train()
    feats = pyramids(n=32)
    torch.manual_seed(5)
    (flow,) = decoder(*feats)
    (whole,) = decoder.eval()(*feats)
    dropped = (flow == 0).flatten(1).all(1)
    assert 8 <= dropped.sum() <= 24
    torch.testing.assert_close(flow[~dropped], whole[~dropped])
    assert (whole != 0).flatten(1).any(1).all()


def test_level_dropout_is_a_probability():
    with pytest.raises(ValueError, match='probability below 1'):
        build(level_dropout=1.0)


def count_of(name, work):
    """How often an operator runs."""
    with torch.profiler.profile() as profile:
        work()
    return sum(e.count for e in profile.key_averages() if e.key == name)


def loss_of(decoder):
    feats1, feats2 = pyramids()
    for feat in feats1 + feats2:
        feat.requires_grad_()
    loss = sum(f.square().sum() for f in decoder(feats1, feats2))
    return loss, [*feats1, *feats2, *decoder.parameters()]


@pytest.mark.parametrize('context', [False, True])
def test_checkpoint_keeps_less_and_changes_nothing(context):

    def run(with_cp):
        decoder = jolt(build(context=context, with_cp=with_cp))
        weights = {p.data_ptr() for p in decoder.parameters()}
        sizes = {}

        def pack(x):
            storage = x.untyped_storage()
            if storage.data_ptr() not in weights:
                sizes[storage.data_ptr()] = storage.nbytes()
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            loss, leaves = loss_of(decoder)
        grads = torch.autograd.grad(loss, leaves)
        return sum(sizes.values()), [loss, *grads]

    (most, expected), (less, found) = run(False), run(True)
    for x, y in zip(found, expected, strict=True):
        assert torch.equal(x, y)
    # the outputs of both LayerNorms, 8 and 6 channels, and their statistics,
    # 2 each, on the pixels of all levels of two samples, in float32
    pixels = 2 * (16 * 32 + 8 * 16 + 4 * 8)
    assert most - less == 4 * (8 + 6 + 2 + 2) * pixels


def test_checkpoint_repeats_no_convolution():
    def work(with_cp):
        loss, leaves = loss_of(build(with_cp=with_cp))
        torch.autograd.grad(loss, leaves)

    once = count_of('aten::_convolution', lambda: work(False))
    again = count_of('aten::_convolution', lambda: work(True))
    assert once == again == 9


@pytest.mark.slow
@pytest.mark.parametrize('kwargs', [{}, dict(with_cp=True, shared=True)])
def test_compiles_without_a_graph_break(kwargs):
    decoder = FlowDecoder(
        CHANNELS, STRIDES, finest=1, radius=1, hidden=(4,), **kwargs
    )
    decoder = jolt(decoder).double()
    torch._dynamo.reset()
    compiled = torch.compile(decoder, fullgraph=True, backend='aot_eager')
    results = []
    for function in (decoder, compiled):
        feats1, feats2 = pyramids(dtype=torch.float64)
        for feat in feats1 + feats2:
            feat.requires_grad_()
        loss = sum(f.square().sum() for f in function(feats1, feats2))
        results.append(
            [loss, *torch.autograd.grad(loss, feats1[1:] + feats2[1:-1])]
        )
    for x, y in zip(*results, strict=True):
        torch.testing.assert_close(x, y)


def test_propagation_written_out():
    """Cell by cell: right, left, below, above, each distance in its turn."""
    torch.manual_seed(2)
    h, w = 6, 7
    feat1, feat2 = torch.randn(2, 2, 3, h, w, dtype=torch.float64)
    flow = 2 * torch.randn(2, 2, h, w, dtype=torch.float64)

    def difference(n, y, x, motion):
        # bilinear, clamped to the frame as 'border' does
        u, v = (x + motion[0]).clamp(0, w - 1), (y + motion[1]).clamp(0, h - 1)
        left, top = u.floor().long(), v.floor().long()
        right, bottom = (left + 1).clamp(max=w - 1), (top + 1).clamp(max=h - 1)
        a, b, picture = u - left, v - top, feat2[n]
        sample = (1 - b) * (
            (1 - a) * picture[:, top, left] + a * picture[:, top, right]
        ) + b * (
            (1 - a) * picture[:, bottom, left] + a * picture[:, bottom, right]
        )
        return (feat1[n, :, y, x] - sample).abs().mean()

    slowness = 0.003 * feat1.abs().mean((1, 2, 3))

    def patch(n, y, x, flow):
        inside = itertools.product(
            range(max(y - 1, 0), min(y + 2, h)),
            range(max(x - 1, 0), min(x + 2, w)),
        )
        cells = [
            difference(n, i, j, flow[n, :, i, j])
            + slowness[n] * flow[n, :, i, j].norm()
            for i, j in inside
        ]
        return sum(cells) / len(cells)

    cells = list(itertools.product(range(2), range(h), range(w)))
    least = {cell: patch(*cell, flow) for cell in cells}
    expected = flow.clone()
    for k in (3, 1):
        for dx, dy in ((k, 0), (-k, 0), (0, k), (0, -k)):
            rows = (torch.arange(h) + dy).clamp(0, h - 1)
            columns = (torch.arange(w) + dx).clamp(0, w - 1)
            other = expected[..., rows[:, None], columns]
            for n, y, x in cells:
                found = patch(n, y, x, other)
                if found < least[n, y, x]:
                    least[n, y, x] = found
                    expected[n, :, y, x] = other[n, :, y, x]
    assert (expected != flow).any(1).float().mean() > 0.3
    torch.testing.assert_close(
        propagate_flow(flow, feat1, feat2, (3, 1)), expected
    )


def test_propagation_takes_the_halo_off_a_motion():
    """A square of 8 cells moves by 3 over a background at rest."""
    torch.manual_seed(0)
    background, square = torch.randn(1, 5, 32, 32), torch.randn(1, 5, 8, 8)
    feat1, feat2 = background.clone(), background.clone()
    feat1[..., 12:20, 12:20] = square
    feat2[..., 12:20, 15:23] = square
    true = torch.zeros(1, 2, 32, 32)
    true[:, 0, 12:20, 12:20] = 3
    halo = torch.zeros(1, 2, 32, 32)
    halo[:, 0, 8:24, 8:24] = 3
    hidden = torch.zeros(32, 32, dtype=torch.bool)
    hidden[12:20, 20:23] = True  # shown by no motion
    found = propagate_flow(halo, feat1, feat2, (4,))
    assert (found == true)[..., ~hidden].all()
    assert (halo != true)[..., ~hidden].any()


def test_on_a_plain_surface_the_slower_flow_is_taken():
    """Nothing else tells them apart; equally slow ones stay as they are."""
    torch.manual_seed(0)
    plain = torch.ones(1, 3, 16, 16)
    flow = torch.zeros(1, 2, 16, 16)
    flow[:, 0, 6:10, 6:10] = 3.0
    assert not propagate_flow(flow, plain, plain, (4,)).any()
    ways = torch.tensor([[5, 0], [0, 5], [-3, 4], [3, -4]]).double()
    same = ways[torch.randint(4, (6, 8))].permute(2, 0, 1)[None]
    one = torch.ones(1, 3, 6, 8, dtype=torch.float64)
    assert torch.equal(propagate_flow(same, one, 0 * one, (2, 1)), same)


def test_propagation_compares_in_the_flows_precision():
    """A thousandth less, which bfloat16 rounds away, is less."""
    flow, feat = torch.zeros(1, 2, 4, 4), torch.zeros(1, 1024, 4, 4)
    flow[:, 0, :, 3] = 1.0
    other = torch.ones_like(feat)
    other[:, 0, :, 3] = 0.0  # where it leads the third column
    feats = feat.bfloat16(), other.bfloat16()
    found = propagate_flow(flow, *feats, (1,))
    assert (found[:, 0, :, 2] == 1).all()


def test_median_filter():
    torch.manual_seed(0)
    x = torch.randn(2, 2, 5, 7)
    cells = F.pad(x, (1, 1, 1, 1), mode='replicate')
    cells = cells.unfold(2, 3, 1).unfold(3, 3, 1).flatten(4)
    assert torch.equal(median_filter(x), cells.median(-1).values)
    assert torch.equal(median_filter(x[..., :1, :1]), x[..., :1, :1])


def test_propagation_after_each_level_when_not_training():
    plain, decoder = (
        jolt(build(propagation=k, max_flow=0.5)) for k in ((), (2, 1))
    )
    feats1, feats2 = pyramids()
    expected = plain(feats1, feats2)
    plain.eval()
    for model in (decoder, plain):  # in training; without propagation
        for mine, other in zip(model(feats1, feats2), expected):
            assert torch.equal(mine, other)
    decoder.eval()
    flow = torch.zeros(2, 2, 4, 8)
    for level, found in zip((2, 1, 0), decoder(feats1, feats2)[::-1]):
        if level < 2:
            flow = 2 * F.interpolate(
                flow, scale_factor=2, mode='bilinear', align_corners=False
            )
        feats = feats1[level], feats2[level]
        _, flow = plain._estimate(level, *feats, flow)
        flow = flow.clamp(-0.5, 0.5)
        chosen = propagate_flow(flow, *feats, (2, 1))
        assert (chosen != flow).any()
        flow = median_filter(chosen)
        torch.testing.assert_close(found, flow)


@pytest.mark.parametrize('wrong', [(4, 0), (8.0,), 8, None, (True,), '8'])
def test_wrong_distances_are_refused(wrong):
    with pytest.raises(ValueError, match='integers of 1 cell or more, got'):
        build(propagation=wrong)
