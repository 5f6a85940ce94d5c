import pytest
import torch
from benchmarks.plain_propagation import plain_labels

from mcjepa_mm.models.propagation import (
    cell_features,
    feature_grid,
    propagate_labels,
    tile_side,
)


@pytest.fixture
def context(drifting_feats):
    """Function: a query, K keys and their soft labels."""

    def make(num_keys, **kwargs):
        query, *keys = drifting_feats(num_keys + 1, **kwargs)
        rng = torch.Generator().manual_seed(0)
        labels = [
            torch.rand(*query.shape[:2], 3, generator=rng).softmax(2)
            for _ in keys
        ]
        return query, keys, labels

    return make


@pytest.mark.parametrize('radius', [0, 1, 5, 40, None])
@pytest.mark.parametrize('size', [(20, 26), (7, 31), (12, 12)])
def test_equals_the_plain_implementation(context, size, radius):
    query, keys, labels = context(3, size=size)
    topk = 3 if radius == 0 else 5
    ours = propagate_labels(query, keys, labels, radius=radius, topk=topk)
    limit = max(size) if radius is None else radius
    plain = plain_labels(query, keys, labels, limit, topk, 0.1)
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('radius', [5, None])
def test_coarse_levels_count_as_if_they_were_interpolated_before(radius):
    """Of strides 4, 16 and 64 for frames of 88 x 120 pixels."""
    torch.manual_seed(0)
    maps = [
        [
            torch.randn(1, channels, rows, cols)
            for channels, rows, cols in ((8, 22, 30), (33, 5, 7), (40, 1, 1))
        ]
        for _ in range(3)
    ]
    options = dict(levels='all', stride=4)
    apart = [cell_features(x, (88, 120), **options) for x in maps]
    dense = [feature_grid(x, (88, 120), **options)[0] for x in maps]
    assert [len(x.coarse) for x in apart] == [2] * 3
    assert apart[0].shape == dense[0].shape
    labels = [torch.rand(22, 30, 3).softmax(2) for _ in range(2)]
    ours = propagate_labels(apart[0], apart[1:], labels, radius=radius)
    expected = plain_labels(
        dense[0], dense[1:], labels, 30 if radius is None else radius, 5, 0.1
    )
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)
    half, *halves = (x.to(torch.bfloat16) for x in apart)
    rounded = propagate_labels(half, halves, labels, radius=radius)
    same = (rounded.argmax(dim=2) == expected.argmax(dim=2)).float().mean()
    assert same > 0.8
    # of too few channels to be worth it
    apart = [cell_features([x[0]], (88, 120), **options) for x in maps]
    assert not apart[0].coarse


def test_by_hand():
    """Two keys: a cell equal to the query's, and one at cos = 0.8."""
    query = torch.tensor([[[1.0, 0.0]]])
    keys = [torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.8, 0.6]]])]
    labels = [torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])]
    shares = propagate_labels(query, keys, labels, topk=2, temperature=0.2)
    # exp(1 / 0.2) : exp(0.8 / 0.2) = e : 1
    e = 2.718281828459045
    expected = torch.tensor([[[e / (e + 1), 1 / (e + 1)]]])
    torch.testing.assert_close(shares, expected)
    shares = propagate_labels(query, keys, labels, topk=1, temperature=0.2)
    torch.testing.assert_close(shares, labels[0])


def test_all_that_tie_with_the_last_one_vote():
    feat = torch.zeros(3, 4, 2)
    feat[..., 0] = 1
    label = torch.arange(12.0).view(3, 4, 1)
    shares = propagate_labels(feat, [feat], [label], radius=1, topk=2)
    # the mean over the window, cut at the border
    assert shares[0, 0, 0] == pytest.approx((0 + 1 + 4 + 5) / 4)
    assert shares[1, 1, 0] == pytest.approx((0 + 1 + 2) * 3 / 9 + 4)


def test_a_low_temperature_does_not_overflow(context):
    query, keys, labels = context(2)
    shares = propagate_labels(query, keys, labels, temperature=0.001)
    assert shares.isfinite().all()
    torch.testing.assert_close(shares.sum(dim=2), torch.ones(20, 26))


def test_fewer_cells_than_votes(context):
    query, keys, labels = context(1, size=(3, 3))
    shares = propagate_labels(query, keys, labels, radius=0, topk=5)
    torch.testing.assert_close(shares, labels[0])


@pytest.mark.parametrize('radius', [3, None])
def test_memory_sets_the_tile_and_changes_nothing(context, radius):
    query, keys, labels = context(8)
    large = propagate_labels(query, keys, labels, radius=radius)
    shape = (*query.shape,)
    sides = [
        tile_side(shape, 8, radius=radius, itemsize=4, max_memory=m)
        for m in (1, 100)
    ]
    assert sides[0] < sides[1] == 8
    small = propagate_labels(query, keys, labels, radius=radius, max_memory=1)
    torch.testing.assert_close(small, large, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('max_memory', [2, 6])
def test_temporary_tensors_stay_within_the_memory(max_memory):
    feat = torch.nn.functional.normalize(torch.randn(40, 40, 64), dim=2)
    label = torch.rand(40, 40, 4)
    args = feat, [feat] * 6, [label] * 6
    with torch.profiler.profile(profile_memory=True) as profile:
        propagate_labels(*args, radius=8, max_memory=max_memory)
    # what was taken and, negative, given back
    events = [
        (event.start_ns(), event.nbytes())
        for event in profile.profiler.kineto_results.events()
        if event.name() == '[memory]'
    ]
    live = peak = 0
    for _, size in sorted(events):
        live += size
        peak = max(peak, live)
    assert max_memory / 2 < peak / 2**20 <= max_memory


def test_too_little_memory_is_refused():
    feat = torch.zeros(60, 104, 1024)
    with pytest.raises(ValueError, match='raise it, or lower radius'):
        propagate_labels(
            feat, [feat] * 8, [feat[..., :2]] * 8, radius=None, max_memory=16
        )


def test_bfloat16_votes_like_float32(context):
    query, keys, labels = context(3)
    exact = propagate_labels(query, keys, labels)
    half = propagate_labels(
        query.bfloat16(), [x.bfloat16() for x in keys], labels
    )
    assert half.dtype == torch.float32
    torch.testing.assert_close(half.sum(dim=2), torch.ones(20, 26))
    same = (half.argmax(dim=2) == exact.argmax(dim=2)).float().mean()
    assert same > 0.9
