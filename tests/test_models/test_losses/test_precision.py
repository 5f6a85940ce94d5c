"""Every loss of half precision tensors is the float32 loss of their values."""

import pytest
import torch

from mcjepa_mm.models.heads.vicreg_head import build_expander
from mcjepa_mm.models.losses import (
    CycleLoss,
    FeatureRegressionLoss,
    FeatureVCLoss,
    PhotometricLoss,
    SelfSupervisionLoss,
    SmoothnessLoss,
    VICRegLoss,
)

SIZE = (2, 3, 16, 16)
WINDOW = (slice(0, 8), slice(2, 10))


def maps(*scales, channels=3):
    """Noise, in [0, scale) where the scale is positive, else around 0."""
    shape = (SIZE[0], channels, *SIZE[2:])
    return [
        s * torch.rand(shape) if s > 0 else s * torch.randn(shape)
        for s in scales
    ]


def mask():
    return (torch.rand(2, 1, 16, 16) > 0.3).float()


# Values whose squares leave float16's range or need more than bfloat16's 8
# bits. What the losses get in training: the flow is never half precision.
LOSSES = {
    'vicreg': lambda: (VICRegLoss(gamma=200.0), 100 * torch.randn(2, 16, 32)),
    'vc': lambda: (
        FeatureVCLoss(variance=(1.0,), covariance=(1.0,), gamma=200.0),
        [maps(-100)],
    ),
    'rec': lambda: (PhotometricLoss(census=1.0), [*maps(1, 1), mask()]),
    'reg': lambda: (
        FeatureRegressionLoss(),
        [[(*maps(-300, -300, channels=64), mask())]],
    ),
    'cycle': lambda: (CycleLoss(), [[(*maps(-300, -300), mask())]]),
    'smooth': lambda: (
        SmoothnessLoss(),
        [*maps(-20, channels=2), *maps(1)],
    ),
}


def cast(x, dtype):
    if isinstance(x, list | tuple):
        return [cast(part, dtype) for part in x]
    return x.to(dtype) if isinstance(x, torch.Tensor) else x


def check(loss, inputs, dtype, arrives_as):
    rounded = cast(inputs, dtype)
    with torch.autocast('cpu', dtype=dtype):
        found = loss(*cast(rounded, arrives_as))
    expected = loss(*cast(rounded, torch.float32))
    if not isinstance(found, dict):
        found, expected = dict(loss=found), dict(loss=expected)
    for name, value in found.items():
        assert value.dtype == torch.float32, name
        assert value.isfinite() and value > 0, name
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('name', LOSSES)
def test_a_loss_is_the_float32_one(name, dtype):
    torch.manual_seed(0)
    check(*LOSSES[name](), dtype, arrives_as=dtype)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_the_student_is_compared_in_float32(dtype):
    torch.manual_seed(0)
    flow, teacher = maps(-20, -20, channels=2)
    inputs = [flow, mask(), teacher, mask(), WINDOW]
    check(SelfSupervisionLoss(), inputs, dtype, arrives_as=torch.float32)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_batch_norm_counts_in_float32(dtype):
    torch.manual_seed(0)
    norm = build_expander((4, 6, 2), 'BN')[1]
    # a variance of 1e4 on a mean of 300: its squares leave float16's range
    x = (300 + 100 * torch.randn(64, 6)).to(dtype)
    with torch.autocast('cpu', dtype=dtype):
        assert norm(x).dtype == dtype
    exact = x.double()
    for running, before, value in (
        (norm.running_mean, 0, exact.mean(0)),
        (norm.running_var, 1, exact.var(0)),
    ):
        assert running.dtype == torch.float32
        expected = 0.9 * before + 0.1 * value
        torch.testing.assert_close(
            running.double(), expected, rtol=1e-5, atol=0
        )
