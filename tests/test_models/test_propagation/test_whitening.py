import numpy as np
import pytest
import torch

from mcjepa_mm.models.propagation import (
    FeatureReader,
    feature_grid,
    read_whitening,
    whitening,
    write_whitening,
)
from mcjepa_mm.models.propagation.whitening import Moments


def mixed(count, channels=6, seed=0, smallest=1.0):
    """Cells whose channels are correlated, with a mean far from zero."""
    rng = np.random.default_rng(seed)
    scales = np.geomspace(smallest, 1, channels)
    mixing = np.linalg.qr(rng.normal(size=(channels, channels)))[0]
    cells = rng.normal(size=(count, channels)) * scales
    return cells @ mixing + 10 * rng.normal(size=channels)


def plain(cells, shrinkage):
    """Centred cells divided by the standard deviation of each component."""
    centred = cells - cells.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(cells, rowvar=False))
    values = np.maximum(values, shrinkage * values.max())
    return centred @ vectors / np.sqrt(values)


def cosines(x):
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return x @ x.T


def as_map(cells, size):
    """(h * w, C) to (1, C, h, w) float32."""
    x = torch.from_numpy(cells).float()
    return x.reshape(*size, -1).permute(2, 0, 1)[None]


def test_covariance_becomes_the_identity():
    cells = mixed(500, smallest=0.05)
    mean, matrix = whitening(torch.from_numpy(cells))
    white = (cells - mean.numpy()) @ matrix.numpy()
    covariance = np.cov(white, rowvar=False)
    np.testing.assert_allclose(covariance, np.eye(6), rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        cosines(white), cosines(plain(cells, 1e-3)), rtol=0, atol=1e-9
    )


def test_small_variances_are_raised_to_the_floor_only():
    cells = mixed(500, smallest=0.01)
    mean, matrix = whitening(torch.from_numpy(cells), 0.1)
    white = (cells - mean.numpy()) @ matrix.numpy()
    # what is left below the floor: its share of it
    values = np.linalg.eigvalsh(np.cov(cells, rowvar=False))
    expected = values / np.maximum(values, 0.1 * values.max())
    assert (expected < 0.9).sum() == 4
    found = np.linalg.eigvalsh(np.cov(white, rowvar=False))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_fewer_cells_than_channels():
    cells = mixed(5, channels=16)
    mean, matrix = whitening(torch.from_numpy(cells))
    other = mixed(20, channels=16, seed=1)
    white = (other - mean.numpy()) @ matrix.numpy()
    assert np.isfinite(white).all()
    # no direction is raised by more than the floor lets it
    largest = np.linalg.eigvalsh(np.cov(cells, rowvar=False)).max()
    gain = np.linalg.norm(matrix.numpy(), ord=2)
    assert gain == pytest.approx((1e-3 * largest) ** -0.5)


def test_moments_of_parts_are_those_of_the_whole():
    cells = mixed(50)
    whole = Moments.of(torch.from_numpy(cells))
    parts = [
        Moments.of(torch.from_numpy(x)) for x in np.split(cells, [7, 8, 30])
    ]
    merged = parts[0].merge(parts[1]).merge(parts[2]).merge(parts[3])
    assert merged.count == whole.count == 50
    np.testing.assert_allclose(merged.mean, cells.mean(axis=0), rtol=1e-12)
    scatter = 49 * np.cov(cells, rowvar=False)
    np.testing.assert_allclose(merged.scatter, scatter, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(whole.scatter, scatter, rtol=1e-9, atol=1e-9)


@pytest.fixture
def videos():
    """Maps of strides 4 and 8 of two videos of two frames, 32 x 48 pixels."""
    fine = [as_map(mixed(96, 6, seed=t), (8, 12)) for t in range(4)]
    coarse = [as_map(mixed(24, 5, seed=t), (4, 6)) for t in range(4)]
    return [torch.cat(fine), torch.cat(coarse)]


STARTS = (True, False, True, False)


def test_grid_is_whitened_by_the_first_frame(videos):
    reader = FeatureReader(levels=[1], whiten='first_frame')
    grid = reader.read(videos, (32, 48), STARTS)
    cells = videos[1].double().permute(0, 2, 3, 1).flatten(1, 2).numpy()
    for first, frames in ((0, (0, 1)), (2, (2, 3))):
        mean = cells[first].mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(cells[first], rowvar=False))
        values = np.maximum(values, 1e-3 * values.max())
        both = np.concatenate([cells[t] for t in frames])
        expected = cosines((both - mean) @ vectors / np.sqrt(values))
        found = torch.cat([grid[t].flatten(0, 1) for t in frames]).double()
        np.testing.assert_allclose(found @ found.T, expected, atol=1e-4)


def test_levels_are_whitened_each_for_itself(videos):
    reader = FeatureReader(levels='all', stride=8, whiten='first_frame')
    both = reader.read(videos, (32, 48), STARTS)
    alone = [
        FeatureReader(levels=[i], stride=8, whiten='first_frame').read(
            videos, (32, 48), STARTS
        )
        for i in (0, 1)
    ]
    # cosines of the second level, which is not resized
    part = torch.nn.functional.normalize(both[..., 6:], dim=3)
    torch.testing.assert_close(part, alone[1])
    assert both.shape == (4, 4, 6, 11) and alone[0].shape == (4, 4, 6, 6)


def test_later_frames_have_no_part_in_the_statistics(videos):
    reader = FeatureReader(levels='all', stride=4, whiten='first_frame')
    before = reader.read(videos, (32, 48), STARTS)
    for x in videos:
        x[1] *= -3
        x[3] += 5
    after = reader.read(videos, (32, 48), STARTS)
    for t in range(4):
        assert torch.equal(before[t], after[t]) == (t in (0, 2))
    # nor has how frames come in batches
    parts = [
        reader.read([x[t : t + 1] for x in videos], (32, 48), [STARTS[t]])
        for t in range(4)
    ]
    assert torch.equal(torch.cat(parts), after)


def test_off_is_what_the_grid_alone_gives(videos):
    reader = FeatureReader(levels='all', stride=4)
    found = reader.read(videos, (32, 48), STARTS)
    plain_grid = feature_grid(videos, (32, 48), levels='all', stride=4)
    assert torch.equal(found, plain_grid)


def test_statistics_of_other_images_are_kept_in_a_file(videos, tmp_path):
    reader = FeatureReader(levels='all', stride=4, shrinkage=0.01)
    batches = [[x[:2] for x in videos], [x[2:3] for x in videos]]
    found = reader.fit(reader.moments(maps, (32, 48)) for maps in batches)
    # the three images together
    cells = videos[0][:3].permute(0, 2, 3, 1).flatten(0, 2).double()
    expected = whitening(cells, 0.01)
    torch.testing.assert_close(found[0].mean, expected.mean)
    torch.testing.assert_close(
        found[0].matrix.abs(), expected.matrix.abs(), rtol=1e-6, atol=1e-9
    )
    path = tmp_path / 'whitening.pth'
    write_whitening(path, found)
    torch.load(path, weights_only=True)
    for one, same in zip(found, read_whitening(path), strict=True):
        assert torch.equal(one.mean, same.mean)
        assert torch.equal(one.matrix, same.matrix)
    again = FeatureReader(levels='all', stride=4, whiten=path)
    grids = [
        one.read(videos, (32, 48), [False] * 4) for one in (reader, again)
    ]
    assert torch.equal(*grids)


def test_bad_input(videos, tmp_path):
    with pytest.raises(ValueError, match='at least 2 cells .* got 1'):
        whitening(torch.ones(1, 3))
    with pytest.raises(ValueError, match='the 9 cells are alike'):
        whitening(torch.full((9, 3), 0.1))
    with pytest.raises(ValueError, match='finite'):
        whitening(torch.tensor([[0.0, 1.0], [torch.nan, 2.0]]))
    for share in (0, 1.5):
        with pytest.raises(ValueError, match='shrinkage must be above 0'):
            whitening(torch.eye(3), share)
        with pytest.raises(ValueError, match='shrinkage must be above 0'):
            FeatureReader(shrinkage=share)
    reader = FeatureReader(levels=[0], whiten='first_frame')
    with pytest.raises(RuntimeError, match='first frame'):
        reader.read(videos, (32, 48), [False] * 4)
    with pytest.raises(ValueError, match='images, got none'):
        reader.fit([])
    with pytest.raises(FileNotFoundError, match='none.pth'):
        FeatureReader(whiten='none.pth')
    path = tmp_path / 'other.pth'
    torch.save(dict(state_dict={'backbone.x': torch.ones(1)}), path)
    with pytest.raises(ValueError, match="no whitening.*'backbone.x'"):
        FeatureReader(whiten=path)
    write_whitening(path, [whitening(torch.randn(9, 6))])
    with pytest.raises(ValueError, match=r'\[5\] channels, .* with \[6\]'):
        FeatureReader(levels=[1], whiten=path).read(
            videos, (32, 48), [False] * 4
        )
