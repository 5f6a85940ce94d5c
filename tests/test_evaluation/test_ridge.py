import numpy as np
import pytest
import torch

from mcjepa_mm.evaluation.functional import (
    choose_ridge_strength,
    ridge_classifier,
    ridge_moments,
)


def samples(count=60, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 5)) * [1, 10, 0.1, 3, 1] + 7
    labels = rng.integers(3, size=count)
    features[:, 0] += labels
    return torch.from_numpy(features), torch.from_numpy(labels)


@pytest.mark.parametrize('strength', [1e-6, 0.3])
def test_solves_the_penalised_least_squares(strength):
    """As lstsq on standardised features with rows for the penalty."""
    features, labels = samples()
    weight, bias = ridge_classifier(
        ridge_moments(features, labels, 3), strength
    )
    x, y = features.numpy(), np.eye(3)[labels.numpy()]
    mean, std, share = x.mean(0), x.std(0), y.mean(0)
    rows = np.concatenate(
        [(x - mean) / std, (60 * strength) ** 0.5 * np.eye(5)]
    )
    targets = np.concatenate([y - share, np.zeros((5, 3))])
    solution = np.linalg.lstsq(rows, targets, rcond=None)[0] / std[:, None]
    np.testing.assert_allclose(weight, solution, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(bias, share - mean @ solution, rtol=1e-8)


def test_moments_of_parts_add_up():
    features, labels = samples()
    whole = ridge_moments(features, labels, 3)
    parts = ridge_moments(features[:7], labels[:7], 3) + ridge_moments(
        features[7:], labels[7:], 3
    )
    assert parts.count == whole.count == 60
    for name in ('features', 'targets', 'gram', 'cross'):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name))


def test_scale_of_a_feature_changes_nothing_and_constants_get_no_weight():
    features, labels = samples()
    scale = torch.tensor([1e-3, 1.0, 50.0, 1.0, 7.0], dtype=torch.float64)
    one = ridge_classifier(ridge_moments(features, labels, 3), 0.1)
    scaled = torch.cat([features * scale, torch.full((60, 1), 0.1)], dim=1)
    two = ridge_classifier(ridge_moments(scaled, labels, 3), 0.1)
    assert not two[0][5].any()
    torch.testing.assert_close(two[0][:5] * scale[:, None], one[0])
    torch.testing.assert_close(two[1], one[1])


def test_strength_is_chosen_by_the_samples_held_out():
    # two informative features among many of noise: little data overfits
    rng = np.random.default_rng(1)
    labels = torch.from_numpy(rng.integers(2, size=400))
    features = torch.from_numpy(rng.normal(size=(400, 60)))
    features[:, :2] += 1.5 * labels[:, None]
    fit = ridge_moments(features[:70], labels[:70], 2)
    held = features[70:], labels[70:]
    right = {}
    for strength in (1e-6, 1.0):
        weight, bias = ridge_classifier(fit, strength)
        found = (held[0] @ weight + bias).argmax(dim=1)
        right[strength] = int((found == held[1]).sum())
    assert right[1.0] > right[1e-6]
    assert choose_ridge_strength(fit, *held, (1e-6, 1.0)) == 1.0
    # all equal: the largest
    easy = features[:, :1].clone()
    easy[:, 0] = labels
    fit = ridge_moments(easy, labels, 2)
    assert choose_ridge_strength(fit, easy, labels, (0.1, 1e-3)) == 0.1


def test_refuses_what_does_not_fit():
    features, labels = samples()
    with pytest.raises(ValueError, match=r'labels \(N,\), got \(60, 5\)'):
        ridge_moments(features, labels[:3], 3)
    with pytest.raises(ValueError, match='labels from 0 to 1, got 0 to 2'):
        ridge_moments(features, labels, 2)
    with pytest.raises(ValueError, match='strength above 0, got 60.0 and 0'):
        ridge_classifier(ridge_moments(features, labels, 3), 0)


def test_a_weight_counts_as_so_many_samples():
    features, labels = samples()
    times = torch.arange(60) % 3
    repeated = ridge_moments(
        features.repeat_interleave(times, 0),
        labels.repeat_interleave(times),
        3,
    )
    weighted = ridge_moments(features, labels, 3, weights=times)
    for name in ('count', 'features', 'targets', 'gram', 'cross'):
        torch.testing.assert_close(
            getattr(weighted, name), getattr(repeated, name)
        )
