"""Shares of constant, position and directions, beside numpy in float64."""

import math

import numpy as np
import pytest
import torch

from mcjepa_mm.evaluation.functional import (
    constant_share,
    embedding_std,
    rank_me,
)
from mcjepa_mm.evaluation.functional.feature_moments import FeatureMoments

SHAPE = (6, 3, 4)  # C, H, W


def moments_of(x, frames_per_clip=1, step=4):
    moments = FeatureMoments(frames_per_clip)
    for part in torch.tensor(x).split(step):
        moments.add(part)
    return moments


def maps(number, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).normal(size=(number, *shape))


def cells_of(x):
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def test_moments_equal_numpy_on_all_cells():
    x = 3 * maps(10) + np.arange(6.0)[:, None, None]
    x[:, 1] += x[:, 0]
    moments, cells = moments_of(x), cells_of(x)
    mean = cells.mean(0)
    values = np.linalg.eigvalsh(np.cov(cells.T, bias=True))[::-1]
    p = np.sqrt(values) / np.sqrt(values).sum()
    assert (moments.num_clips, moments.num_cells) == (10, 120)
    assert moments.mean.numpy() == pytest.approx(mean)
    assert moments.constant_share() == pytest.approx(
        (mean**2).sum() / (cells**2).sum(1).mean()
    )
    assert moments.top_direction_share() == pytest.approx(
        values[0] / values.sum()
    )
    assert moments.rank() == pytest.approx(
        np.exp(-(p * np.log(p)).sum()), rel=1e-5
    )
    # the same of the matrix of all cells
    z = torch.tensor(cells)
    assert moments.rank() == pytest.approx(rank_me(z, centred=True))
    assert moments.constant_share() == pytest.approx(constant_share(z))
    assert moments.max_rank == 6 and moments_of(x[:1, :, :1]).max_rank == 3


def position_by_numpy(x, frames_per_clip=1):
    """Analysis of variance of randomised blocks, channel by channel."""
    clips = x.reshape(-1, frames_per_clip, *x.shape[1:]).mean(1)
    n, channels = clips.shape[:2]
    y = clips.reshape(n, channels, -1).transpose(1, 0, 2)
    places = y.shape[2]
    explained = within = 0.0
    for c, one in enumerate(y):
        grand, rows, columns = one.mean(), one.mean(1), one.mean(0)
        rest = one - rows[:, None] - columns + grand
        noise = (rest**2).sum() / ((n - 1) * (places - 1))
        between = columns.var(ddof=1) - noise / n
        explained += between * (places - 1) / places
        single = x[:, c].reshape(len(x), -1)
        within += single.var(0).mean() + one.var(0, ddof=1).mean() / n
    return explained / (explained + within)


@pytest.mark.parametrize('frames_per_clip', [1, 3])
def test_position_share_equals_numpy(frames_per_clip):
    x = maps(12) + 0.7 * maps(1, seed=1) + maps(12, 2, (6, 1, 1)) + 5
    got = moments_of(x, frames_per_clip, step=6).position_share()
    expected = position_by_numpy(x, frames_per_clip)
    assert 0.1 < expected < 0.4
    assert got == pytest.approx(expected, rel=1e-9)


def test_a_code_is_found_though_the_cells_of_an_image_are_alike():
    # Power of the code 1, of the image 8, of the noise 1: the share is 0.1.
    code = maps(1, seed=99, shape=(6, 4, 4))
    code -= code.mean(axis=(2, 3), keepdims=True)
    code /= np.sqrt((code**2).mean())
    shares = []
    for seed in range(30):
        image = np.sqrt(8) * maps(16, seed, (6, 1, 1))
        x = image + code + maps(16, seed + 1000, (6, 4, 4))
        shares.append(moments_of(x, step=16).position_share())
    assert np.mean(shares) == pytest.approx(0.1, abs=0.01)


def test_frames_of_a_clip_are_no_further_draws():
    as_images, as_clips = [], []
    for seed in range(20):
        clips = maps(8, seed)
        # a static camera shows a place five times, which proves nothing
        frames = np.repeat(clips, 5, axis=0)
        many = moments_of(frames, 5, step=10)
        assert many.num_clips == 8 and many.num_cells == 5 * 8 * 12
        assert many.constant_share() == pytest.approx(
            moments_of(clips).constant_share()
        )
        as_clips.append(many.position_share())
        as_images.append(moments_of(frames, step=10).position_share())
    assert np.mean(as_images) > 0.08
    assert np.mean(as_clips) < 0.02


def test_where_there_is_nothing_to_tell():
    constant = moments_of(np.full((4, *SHAPE), 0.3, np.float32))
    assert constant.constant_share() == pytest.approx(1)
    assert constant.rank() == 1
    assert math.isnan(constant.position_share())
    assert math.isnan(constant.top_direction_share())
    assert moments_of(np.zeros((4, *SHAPE))).constant_share() == 1
    assert math.isnan(moments_of(maps(1)).position_share())
    assert math.isnan(moments_of(maps(8)[..., :1, :1]).position_share())


def test_what_does_not_fit_is_refused():
    moments = FeatureMoments(frames_per_clip=2)
    with pytest.raises(ValueError, match=r'K = 2 .* \(3, 6, 3, 4\)'):
        moments.add(torch.tensor(maps(3)))
    moments.add(torch.tensor(maps(2)))
    with pytest.raises(ValueError, match=r'\(2, 6, 3, 3\)'):
        moments.add(torch.tensor(maps(2)[..., :3]))
    with pytest.raises(ValueError, match='NaN'):
        moments.add(torch.full((2, *SHAPE), torch.nan))


def test_constant_share_by_hand():
    z = torch.tensor([[3.0, 1.0], [3.0, -1.0]])
    assert constant_share(z) == pytest.approx(0.9)
    assert constant_share(torch.zeros(3, 2)) == 1
    with pytest.raises(ValueError, match='at least 2'):
        constant_share(z[:1])


def test_rank_me_centred():
    z = torch.tensor(maps(9, shape=(5,)))
    far = z + 1e3
    assert rank_me(far, centred=True) == pytest.approx(
        rank_me(z - z.mean(0)), rel=1e-6
    )
    assert rank_me(far) < 1.1 < 3 < rank_me(far, centred=True)
    assert rank_me(torch.full((4, 3), 0.3), centred=True) == 1
    assert embedding_std(far) == pytest.approx(embedding_std(z))
