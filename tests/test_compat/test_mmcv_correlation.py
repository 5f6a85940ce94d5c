"""mmcv's correlation without compiled operators, against loops."""

import pytest
import torch

from mcjepa_mm.compat import mmcv_ext

pytestmark = pytest.mark.skipif(
    not mmcv_ext.needed(),
    reason='the mmcv installed here has its compiled half',
)

# Those of mmflow's configs first, with a smaller displacement: PWC-Net,
# FlowNetC, LiteFlowNet.
OPTIONS = [
    dict(max_displacement=2),
    dict(max_displacement=2, dilation_patch=2),
    dict(max_displacement=1, stride=2, dilation_patch=2),
    dict(max_displacement=1, padding=2),
    dict(max_displacement=2, stride=2),
    dict(max_displacement=1, stride=2, padding=1, dilation_patch=3),
    dict(max_displacement=1, stride=3, padding=1, dilation_patch=2),
    dict(max_displacement=1, stride=4, padding=3, dilation_patch=6),
    dict(max_displacement=0),
]


def build(**options):
    # This package's patch comes before mmcv.ops is imported.
    from mmcv.ops import Correlation

    return Correlation(**options)


def correlation_by_loops(
    feat1, feat2, max_displacement, stride=1, padding=0, dilation_patch=1
):
    """The formula of mmcv's docstring, one number at a time."""
    n, _, h, w = feat1.shape
    r = max_displacement
    rows = range(-padding, h + padding, stride)
    columns = range(-padding, w + padding, stride)
    out = feat1.new_zeros(n, 2 * r + 1, 2 * r + 1, len(rows), len(columns))
    for i in range(n):
        for dy in range(-r, r + 1):
            for dx in range(-r, r + 1):
                for y_out, y in enumerate(rows):
                    for x_out, x in enumerate(columns):
                        y2 = y + dy * dilation_patch
                        x2 = x + dx * dilation_patch
                        if not (0 <= y < h and 0 <= x < w):
                            continue
                        if not (0 <= y2 < h and 0 <= x2 < w):
                            continue
                        out[i, dy + r, dx + r, y_out, x_out] = (
                            feat1[i, :, y, x] * feat2[i, :, y2, x2]
                        ).sum()
    return out


@pytest.mark.parametrize('options', OPTIONS, ids=str)
def test_equals_loops(options):
    torch.manual_seed(0)
    feat1, feat2 = torch.randn(2, 2, 3, 5, 8, dtype=torch.float64)
    torch.testing.assert_close(
        build(**options)(feat1, feat2),
        correlation_by_loops(feat1, feat2, **options),
    )


@pytest.mark.parametrize('options', OPTIONS, ids=str)
def test_gradcheck(options):
    torch.manual_seed(0)
    feat1, feat2 = torch.randn(2, 1, 2, 4, 5, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        build(**options),
        (feat1.requires_grad_(), feat2.requires_grad_()),
    )


def test_autocast_does_not_lower_the_precision():
    torch.manual_seed(0)
    feat1, feat2 = torch.randn(2, 1, 64, 4, 5)
    correlate = build(max_displacement=1)
    expected = correlate(feat1, feat2)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(correlate(feat1, feat2), expected)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(kernel_size=3), r'kernel_size must be 1, got \(3, 3\)'),
        (dict(stride=(1, 2)), r'one stride .* got \(1, 2\)'),
        (dict(padding=(0, 1)), r'one padding .* got \(0, 1\)'),
        (dict(dilation_patch=(2, 1)), r'dilation_patch .* got \(2, 1\)'),
    ],
    ids=str,
)
def test_what_it_does_not_know_is_refused(options, message):
    feats = torch.zeros(2, 1, 2, 4, 4)
    with pytest.raises(NotImplementedError, match=message):
        build(max_displacement=1, **options)(*feats)


def test_torch_is_imported_by_the_call(run):
    done = run(
        'python',
        '-c',
        'import sys\n'
        'from types import ModuleType\n'
        'from mcjepa_mm.compat import mmcv_ext\n'
        'module = ModuleType("mmcv._ext")\n'
        'mmcv_ext._StandInLoader().exec_module(module)\n'
        'print(callable(module.correlation_forward), "torch" in sys.modules)',
    )
    assert done.stdout.split() == ['True', 'False'], done.stderr
