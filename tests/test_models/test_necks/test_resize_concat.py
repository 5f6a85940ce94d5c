import numpy as np
import pytest
import torch

from mcjepa_mm.models.necks import ResizeConcat
from mcjepa_mm.registry import MODELS


def bilinear(x, size):
    """Resize (N, C, H, W) in float64; pixel centres are at 1 / 2."""
    for axis, length in ((2, size[0]), (3, size[1])):
        before = x.shape[axis]
        at = (np.arange(length) + 0.5) * before / length - 0.5
        at = np.clip(at, 0, before - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, before - 1)
        shape = [1] * 4
        shape[axis] = length
        weight = (at - low).reshape(shape)
        x = np.take(x, low, axis) * (1 - weight) + weight * np.take(
            x, high, axis
        )
    return x


@pytest.fixture
def levels():
    draw = torch.Generator().manual_seed(0)
    sizes = ((3, 6, 10), (4, 3, 5), (5, 2, 3))
    return [
        7 * torch.randn(2, *size, generator=draw, dtype=torch.float64) + 2
        for size in sizes
    ]


def joined(levels):
    return np.concatenate([bilinear(x.numpy(), (6, 10)) for x in levels], 1)


@pytest.mark.parametrize('kind', ['BN', 'SyncBN'])
def test_batch_norm_of_the_resized_levels_by_hand(levels, kind):
    neck = ResizeConcat((3, 4, 5), norm_cfg=dict(type=kind)).double()
    with torch.no_grad():
        neck.norm.weight.copy_(torch.linspace(0.5, 2, 12))
        neck.norm.bias.copy_(torch.linspace(-1, 1, 12))
    x = joined(levels)
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))

    def column(values):
        return np.asarray(values)[:, None, None]

    weight, bias = (
        column(p.detach()) for p in (neck.norm.weight, neck.norm.bias)
    )
    [out] = neck(levels)
    assert out.shape == (2, 12, 6, 10)
    expected = (x - column(mean)) / column(np.sqrt(var + 1e-5))
    np.testing.assert_allclose(
        out.detach(), weight * expected + bias, atol=1e-12
    )
    # in eval mode: a tenth of that batch, nine tenths of mean 0 and std 1
    count = x.size / 12
    var = 0.9 + 0.1 * var * count / (count - 1)
    [out] = neck.eval()(levels)
    expected = (x - column(0.1 * mean)) / column(np.sqrt(var + 1e-5))
    np.testing.assert_allclose(
        out.detach(), weight * expected + bias, atol=1e-12
    )


def test_with_fcn_head_the_logits_are_linear_in_the_features(levels):
    """The classifier of mmsegmentation adds one matrix and nothing else."""
    import mmseg.models  # noqa: F401
    from mmseg.registry import MODELS as SEGMENTATION

    neck = ResizeConcat((3, 4, 5), norm_cfg=dict(type='BN')).double().eval()
    head = SEGMENTATION.build(
        dict(
            type='FCNHead',
            num_convs=0,
            concat_input=False,
            in_channels=12,
            channels=12,
            in_index=0,
            dropout_ratio=0.0,
            num_classes=4,
        )
    ).double()
    matrix = head.conv_seg.weight[..., 0, 0].detach().numpy()
    x = joined(levels) / np.sqrt(1 + 1e-5)
    expected = np.einsum('kc,nchw->nkhw', matrix, x)
    expected += head.conv_seg.bias.detach().numpy()[:, None, None]
    for mode in (True, False):
        out = head.train(mode)(neck(levels))
        np.testing.assert_allclose(out.detach(), expected, atol=1e-12)
    assert [name for name, _ in head.named_parameters()] == [
        'conv_seg.weight',
        'conv_seg.bias',
    ]


def test_is_found_and_has_batch_norm_over_all_processes():
    neck = MODELS.build(
        dict(type='mcjepa_mm.ResizeConcat', in_channels=[3, 4])
    )
    assert isinstance(neck.norm, torch.nn.SyncBatchNorm)
    assert neck.out_channels == 7


def test_other_channels_are_refused(levels):
    neck = ResizeConcat((3, 4))
    with pytest.raises(ValueError, match=r'\(3, 4\) .* got \(3, 4, 5\)'):
        neck(levels)
