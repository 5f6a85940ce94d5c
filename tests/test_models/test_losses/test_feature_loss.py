import pytest
import torch

from mcjepa_mm.models.losses import feature_distance
from mcjepa_mm.registry import MODELS


def levels():
    generator = torch.Generator().manual_seed(0)

    def rand(*shape):
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    return [
        (rand(2, c, h, 3), rand(2, c, h, 3), rand(2, 1, h, 3).round())
        for c, h in [(3, 4), (5, 2)]
    ]


def distance_loops(feat, other, mask):
    total, count = 0.0, 0.0
    for n in range(feat.shape[0]):
        for i in range(feat.shape[2]):
            for j in range(feat.shape[3]):
                if mask[n, 0, i, j]:
                    for c in range(feat.shape[1]):
                        total += (
                            float(feat[n, c, i, j] - other[n, c, i, j]) ** 2
                        )
                        count += 1
    return total / count


@pytest.mark.parametrize(
    'name, weight', [('FeatureRegressionLoss', 1.0), ('CycleLoss', 0.2)]
)
def test_sum_over_levels_equals_loops(name, weight):
    loss = MODELS.build(dict(type=name))
    expected = sum(distance_loops(*level) for level in levels())
    assert loss(levels()).item() == pytest.approx(weight * expected)
    loss.loss_weight = 3.0
    assert loss(levels()).item() == pytest.approx(3 * expected)


def test_gradcheck_on_both_sides():
    feat, other, mask = levels()[0]
    assert torch.autograd.gradcheck(
        lambda f, o: feature_distance(f, o, mask),
        [feat.requires_grad_(), other.requires_grad_()],
    )


def test_bad_input_is_refused():
    feat, other, mask = levels()[0]
    with pytest.raises(ValueError, match=r'one shape.*\(2, 3, 4, 3\) and'):
        feature_distance(feat, other[:, :2], mask)
    with pytest.raises(ValueError, match='at least one level'):
        MODELS.build(dict(type='CycleLoss'))([])
