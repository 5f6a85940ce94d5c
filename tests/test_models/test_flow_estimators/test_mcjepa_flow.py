"""The estimator: sizes, scales, directions, training, checkpoints."""

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.structures import PixelData

from mcjepa_mm.models.flow import resize_flow, warp
from mcjepa_mm.models.flow_estimators import MCJEPAFlow
from mcjepa_mm.registry import MODELS

CONFIG = 'configs/_base_/models/mcjepa-flow_convnext-tiny.py'
CHANNELS = (4, 4, 8, 16, 24, 32)
ARCH = dict(depths=(1, 1, 1, 1), channels=CHANNELS[2:])


def small(cfg):
    cfg.backbone.arch = ARCH
    head = cfg.head if 'head' in cfg else cfg.heads.motion
    head.decoder.update(hidden=(8, 6), finest=1)
    return cfg


def build(repo, **kwargs) -> MCJEPAFlow:
    torch.manual_seed(0)
    cfg = small(Config.fromfile(repo / CONFIG).model)
    cfg.update(kwargs)
    model = MODELS.build(cfg)
    for name, p in model.named_parameters():
        if 'predict.weight' in name:  # a flow that is not nearly zero
            torch.nn.init.normal_(p, std=0.3)
    return model.eval()


def samples(n):
    from mmflow.structures import FlowDataSample

    return [FlowDataSample() for _ in range(n)]


def frames(*size, n=1):
    torch.manual_seed(1)
    return torch.randn(n, 6, *size)


@pytest.mark.parametrize('size', [(64, 128), (70, 150), (1, 1), (50, 400)])
@pytest.mark.parametrize('scale', [1.0, 0.5, 1.3])
@torch.no_grad()
def test_any_size_and_scale(repo, size, scale):
    model = build(repo, test_cfg=dict(scale=scale))
    (result,) = model(frames(*size), mode='predict')
    assert result.pred_flow_fw.data.shape == (2, *size)
    assert result.pred_flow_fw.data.isfinite().all()
    assert 'pred_flow_bw' not in result


@torch.no_grad()
def test_flow_of_padded_frames_is_that_of_frames_padded_by_hand(repo):
    """Padded by repeating the edge, at the bottom and on the right."""
    model = build(repo)
    x = frames(70, 150)
    whole = torch.cat([x, x[:, :, -1:].expand(-1, -1, 58, -1)], dim=2)
    whole = torch.cat([whole, whole[..., -1:].expand(-1, -1, -1, 42)], dim=3)
    assert whole.shape[-2:] == (128, 192)
    (result,), (padded,) = (model(y, mode='predict') for y in (x, whole))
    torch.testing.assert_close(
        result.pred_flow_fw.data, padded.pred_flow_fw.data[:, :70, :150]
    )


@torch.no_grad()
def test_scaling_is_resizing_before_and_after(repo):
    model = build(repo)
    x = frames(128, 256)
    half = torch.nn.functional.avg_pool2d(x, 2)
    (small_flow,) = model(half, mode='predict')
    model.scale = 0.5
    (result,) = model(x, mode='predict')
    torch.testing.assert_close(
        result.pred_flow_fw.data,
        resize_flow(small_flow.pred_flow_fw.data[None], (128, 256))[0],
    )


@torch.no_grad()
def test_backward_flow_is_the_forward_flow_of_the_swapped_pair(repo):
    both = build(repo, test_cfg=dict(bidirectional=True))
    one = build(repo)
    x = frames(64, 64, n=2)
    swapped = one(torch.cat(x.chunk(2, 1)[::-1], 1), mode='predict')
    forward = one(x, mode='predict')
    for result, fw, bw in zip(both(x, mode='predict'), forward, swapped):
        for name, other in (('fw', fw), ('bw', bw)):
            torch.testing.assert_close(
                result.get(f'pred_flow_{name}').data,
                other.pred_flow_fw.data,
            )
        flow, back = (
            result.get(f'pred_flow_{way}').data[None] for way in ('fw', 'bw')
        )
        gap = (flow + warp(back, flow)).square().sum(1)
        # Far from coming back is occluded, whatever the threshold.
        assert (result.pred_occ_fw.data[gap > 100] == 1).all()
        assert result.pred_occ_bw.data.shape == (1, 64, 64)


@torch.no_grad()
def test_agrees_with_the_pretrainers_head(repo):
    """A pretraining checkpoint, as it is, and the same flow."""
    cfg = Config.fromfile(
        repo / 'configs/_base_/models/mcjepa_convnext-tiny.py'
    )
    cfg = small(cfg.model)
    cfg.heads.content.update(expander_channels=(8, 8))
    torch.manual_seed(7)
    pretrainer = MODELS.build(cfg).eval()
    for p in pretrainer.heads.motion.parameters():
        torch.nn.init.normal_(p, std=0.1)
    model = build(repo, test_cfg=dict(bidirectional=True))
    missing, unexpected = model.load_state_dict(
        pretrainer.state_dict(), strict=False
    )
    assert not missing
    assert all(key.startswith('heads.content.') for key in unexpected)
    x = frames(64, 128)
    views = x.unflatten(1, (2, 3))
    results = pretrainer(dict(motion=views), dict(motion=None), mode='predict')
    (mine,) = model(x, mode='predict')
    for name in ('flow_fw', 'flow_bw', 'occ_fw', 'occ_bw'):
        torch.testing.assert_close(
            mine.get(f'pred_{name}').data,
            results[0].get(f'pred_{name}').data,
        )


@torch.no_grad()
def test_mmflows_padding_and_resizing_are_undone(repo):
    model = build(repo)
    (plain,) = model(frames(64, 128), mode='predict')
    flow = plain.pred_flow_fw.data
    (padded,) = samples(1)
    padded.set_metainfo(dict(pad=((4, 2), (1, 7)), ori_shape=(58, 120, 3)))
    (resized,) = samples(1)
    resized.set_metainfo(dict(ori_shape=(32, 256), scale_factor=(0.5, 2.0)))
    model(frames(64, 128), [padded], mode='predict')
    torch.testing.assert_close(padded.pred_flow_fw.data, flow[:, 4:62, 1:121])
    model(frames(64, 128), [resized], mode='predict')
    data = resized.pred_flow_fw.data
    assert data.shape == (2, 32, 256)
    torch.testing.assert_close(data[0].mean(), 2 * flow[0].mean())
    torch.testing.assert_close(data[1].mean(), flow[1].mean() / 2)


LOSSES = (
    dict(type='mmflow.MultiLevelEPE'),
    dict(type='mmflow.MultiLevelEPE', resize_flow='upsample'),
    dict(
        type='mmflow.MultiLevelCharbonnierLoss',
        scale_as_level=True,
        q=0.5,
        eps=1e-12,
    ),
    dict(type='mmflow.SequenceLoss'),
)


@pytest.mark.parametrize('size', [(64, 128), (70, 100)])
@pytest.mark.parametrize('loss', LOSSES, ids=str)
def test_the_true_flow_has_no_supervised_loss(repo, loss, size):
    """A constant flow at every level: 0 where it is right, else not."""
    model = build(repo, flow_loss=loss)
    data = samples(2)
    for sample in data:
        gt = torch.tensor([8.0, -4.0]).view(2, 1, 1).repeat(1, *size)
        sample.gt_flow_fw = PixelData(data=gt)

    def truth(module, args, output):
        return tuple(
            torch.stack(
                [
                    torch.full_like(f[:, 0], 8.0 / (2 ** (k + 2))),
                    torch.full_like(f[:, 0], -4.0 / (2 ** (k + 2))),
                ],
                dim=1,
            )
            for k, f in enumerate(output)
        )

    inputs = frames(*size, n=2)
    wrong = model(inputs, data, mode='loss')['loss_flow']
    model.head.decoder.register_forward_hook(truth)
    right = model(inputs, data, mode='loss')['loss_flow']
    assert right < 1e-3 * wrong


def test_supervised_loss_equals_mmflows_formula(repo):
    """MultiLevelEPE written out: 20ths of image pixels, summed, by level."""
    model = build(repo, flow_loss=dict(type='mmflow.MultiLevelEPE'))
    inputs, data = frames(64, 128, n=2), samples(2)
    gt = torch.randn(2, 2, 64, 128)
    for sample, flow in zip(data, gt):
        sample.gt_flow_fw = PixelData(data=flow)
    with torch.no_grad():
        flows = model(inputs, mode='tensor')
        total = 0.0
        for flow, stride, weight in zip(
            flows, (4, 8, 16, 32, 64), (0.005, 0.01, 0.02, 0.08, 0.32)
        ):
            target = torch.nn.functional.avg_pool2d(gt, stride) / 20
            error = (flow * stride / 20 - target).square().sum(1).sqrt()
            total += weight * error.sum() / 2
        loss = model(inputs, data, mode='loss')['loss_flow']
    torch.testing.assert_close(loss, total)


def test_sparse_ground_truth_leaves_holes_out(repo):
    """Values of pixels that are not valid change nothing, NaN included."""
    model = build(
        repo,
        flow_loss=dict(type='mmflow.MultiLevelEPE', resize_flow='upsample'),
    )
    inputs, (sample,) = frames(64, 64), samples(1)
    sample.gt_valid_fw = PixelData(data=(torch.rand(1, 64, 64) > 0.5).float())
    losses = []
    for hole in (0.0, 1e3, float('nan')):
        gt = torch.ones(2, 64, 64)
        gt[:, sample.gt_valid_fw.data[0] == 0] = hole
        sample.gt_flow_fw = PixelData(data=gt)
        losses.append(model(inputs, [sample], mode='loss')['loss_flow'])
    assert losses[0] == losses[1] == losses[2]


@pytest.mark.parametrize(
    'flow_loss', [None, dict(type='mmflow.MultiLevelEPE')]
)
def test_a_training_step_moves_encoder_and_decoder(repo, flow_loss):
    model = build(repo, flow_loss=flow_loss).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    data = samples(2)
    for sample in data:
        sample.gt_flow_fw = PixelData(data=torch.ones(2, 70, 100))
    batch = dict(
        inputs=torch.randint(0, 256, (2, 2, 3, 70, 100), dtype=torch.uint8),
        data_samples=data,
    )
    log = model.train_step(batch, OptimWrapper(optimizer))
    assert log['loss'].isfinite() and log['loss'] > 0
    after = model.state_dict()
    for part in ('backbone.', 'heads.motion.decoder.estimators.1'):
        assert any(
            not torch.equal(before[k], after[k])
            for k in after
            if k.startswith(part)
        ), part


def test_missing_ground_truth_is_named(repo):
    model = build(repo, flow_loss=dict(type='mmflow.MultiLevelEPE'))
    with pytest.raises(ValueError, match='has no gt_flow_fw'):
        model(frames(64, 64), samples(1), mode='loss')


def test_a_level_without_flow_is_named(repo):
    loss = dict(type='mmflow.MultiLevelEPE', weights=dict(level1=1.0))
    model = build(repo, flow_loss=loss)
    (sample,) = samples(1)
    sample.gt_flow_fw = PixelData(data=torch.ones(2, 64, 64))
    with pytest.raises(ValueError, match=r"no flow of \['level1'\]"):
        model(frames(64, 64), [sample], mode='loss')


@pytest.mark.parametrize('test_cfg', [dict(scale=0.0), dict(iters=3)])
def test_unknown_test_settings_are_refused(repo, test_cfg):
    with pytest.raises(ValueError, match='test_cfg may set'):
        build(repo, test_cfg=test_cfg)
