"""Frozen encoders on small folders whose answers are known."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mcjepa_mm.datasets import DAVIS2016, BadSampleError
from mcjepa_mm.evaluation.frozen import (
    FrozenEncoder,
    classify_folders,
    measure_propagation,
    segment_folder,
)
from mcjepa_mm.evaluation.frozen.classification import list_class_folders
from mcjepa_mm.evaluation.frozen.encoder import map_cells
from mcjepa_mm.evaluation.frozen.propagation import READOUTS
from mcjepa_mm.evaluation.frozen.segmentation import (
    WEIGHTINGS,
    _add,
    _choose,
    held_out,
)
from mcjepa_mm.evaluation.functional import object_scores, ridge_classifier
from mcjepa_mm.evaluation.functional.ridge import STRENGTHS
from mcjepa_mm.models.propagation import LabelPropagator, feature_grid
from mcjepa_mm.models.propagation.whitening import whitening

ARCH = dict(depths=(1, 1, 1, 1), channels=(8, 12, 16, 20))
SETTINGS = dict(arch=ARCH, layer_scale_init_value=0.0)


class Colours:
    """An encoder that returns mean colours at strides 2 to 64."""

    def maps(self, images):
        return [F.avg_pool2d(images.float(), 2**k) for k in range(1, 7)]


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def test_an_encoder_is_that_of_the_checkpoint_or_of_the_seed(tmp_path):
    one = FrozenEncoder.untrained(SETTINGS, 1)
    state = {f'backbone.{k}': v for k, v in one.backbone.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'a.pth')
    images = torch.randint(256, (2, 3, 64, 128), dtype=torch.uint8)
    again = FrozenEncoder.from_checkpoint(tmp_path / 'a.pth')
    expected = one.maps(images)
    assert [x.shape[1] for x in expected] == [4, 4, 8, 12, 16, 20]
    for other, same in (
        (again, True),
        (FrozenEncoder.untrained(SETTINGS, 1), True),
        (FrozenEncoder.untrained(SETTINGS, 2), False),
    ):
        pairs = zip(expected, other.maps(images))
        assert all(torch.equal(a, b) for a, b in pairs) is same


def test_cells_of_all_levels():
    fine = torch.arange(16.0).reshape(1, 1, 4, 4)
    coarse = torch.ones(1, 2, 1, 1)
    cells = map_cells([fine, coarse], (2, 2))
    expected = torch.tensor([[2.5, 4.5], [10.5, 12.5]])
    assert torch.equal(cells[0, 0], expected)
    assert torch.equal(cells[0, 1:], torch.ones(2, 2, 2))


def test_pictures_of_three_colours_are_told_apart(tmp_path):
    rng = np.random.default_rng(0)
    shades = dict(c1=(20, 40, 200), c2=(90, 90, 90), c10=(220, 30, 30))
    for name, shade in shades.items():
        for number in range(8):
            image = np.full((70, 80, 3), shade) + rng.integers(9, size=3)
            save(tmp_path / name / f'{number}.png', image.astype(np.uint8))
    (tmp_path / 'empty').mkdir()
    classes, images = list_class_folders(tmp_path)
    assert classes == ['c1', 'c2', 'c10'] and len(images[2]) == 8
    found = classify_folders(Colours(), tmp_path)
    assert (found['fitted'], found['queries']) == (18, 6)
    for name in ('knn_last', 'knn_all', 'ridge_last', 'ridge_all'):
        # k is all 18 here: the nearest still vote most
        assert found['right'][name].count('1') == found[name] * 6 / 100
    assert found['ridge_last'] == found['knn_last'] == 100
    with pytest.raises(ValueError, match='holds 0 folders with images'):
        list_class_folders(tmp_path / 'empty')


def test_cells_of_three_colours_are_told_apart(tmp_path):
    """Classes by colour, one of them rare; unlabelled pixels count nowhere."""
    rng = np.random.default_rng(0)
    shades = {0: (20, 40, 200), 3: (90, 90, 90), 8: (220, 30, 30)}
    for split, count in (('train', 6), ('val', 2)):
        names = [f'{split}{k}' for k in range(count)]
        (tmp_path / f'{split}.txt').write_text('\n'.join(names))
        for name in names:
            blocks = rng.choice([0, 3, 8], size=(4, 4), p=[0.5, 0.4, 0.1])
            blocks[0, 0] = 8
            mask = blocks.repeat(32, 0).repeat(32, 1).astype(np.uint8)
            image = np.zeros((128, 128, 3), np.uint8)
            for label, shade in shades.items():
                image[mask == label] = shade
            mask[:5] = 11
            save(tmp_path / f'images/{name}.jpg', image)
            save(tmp_path / f'masks/{name}.png', mask)
    found = segment_folder(Colours(), tmp_path, size=(128, 128))
    assert found['miou'] > 85 and found['miou_large'] == found['miou']
    assert found['iou']['Tree'] is None
    assert found['weighting'] in WEIGHTINGS and found['strength'] in STRENGTHS
    assert found['miou_held_out'] > 85
    areas = np.array(found['areas'])
    assert areas.shape == (2, 3, 11)
    assert (areas[:, 2].sum(axis=1) == 123 * 128).all()
    save(tmp_path / 'masks/val1.png', np.full((128, 128), 12, np.uint8))
    with pytest.raises(BadSampleError, match='val1.png is no mask of CamVid'):
        segment_folder(Colours(), tmp_path, size=(128, 128))


def test_the_choice_is_made_within_train_txt():
    """By mean IoU of cells, which asks for rare classes where they show."""
    with pytest.raises(ValueError, match='at least 5 of them, got 4'):
        held_out(4)
    assert held_out(11).nonzero()[0].tolist() == [8, 9]
    assert held_out(90).nonzero()[0].tolist() == [
        *range(32, 40),
        *range(72, 80),
    ]
    # of 10 rare cells 8 are at x = 1, where 20 of 90 frequent ones are too
    x = torch.tensor([0.0] * 70 + [1.0] * 20 + [0.0] * 2 + [1.0] * 8)[:, None]
    labels = torch.tensor([0] * 90 + [1] * 10)
    moments = {}
    counts = torch.ones(11).double()
    counts[:2] = torch.tensor([90.0, 10.0])
    weights = {name: counts**-power for name, power in WEIGHTINGS.items()}
    _add(moments, x, labels, weights)
    scores = {}
    for name, fitted in moments.items():
        for strength in STRENGTHS:
            weight, bias = ridge_classifier(fitted, strength)
            pred = (x.double() @ weight + bias).argmax(dim=1)
            both = [
                int(((pred == c) & (labels == c)).sum())
                / int(((pred == c) | (labels == c)).sum())
                for c in (0, 1)
            ]
            scores[strength, name] = sum(both) / 2
    strength, name, score = _choose(moments, x, labels)
    assert score == pytest.approx(max(scores.values()), abs=1e-6)
    assert scores[strength, name] == pytest.approx(score, abs=1e-6)
    assert min(scores.values()) < score and name != 'none'
    with pytest.raises(ValueError, match='held out has a class'):
        _choose(moments, x[:0], labels[:0])


@pytest.fixture
def clips(tmp_path):
    """A red square that moves 4 pixels a frame over grey, and one at rest."""
    for name, speed in (('moves', 4), ('rests', 0)):
        for t in range(8):
            image = np.full((64, 128, 3), 120, np.uint8)
            mask = np.zeros((64, 128), np.uint8)
            window = slice(16, 40), slice(8 + speed * t, 32 + speed * t)
            image[window], mask[window] = (220, 20, 20), 255
            save(tmp_path / f'JPEGImages/{name}/{t}.jpg', image)
            save(tmp_path / f'Annotations/{name}/{t}.png', mask)
    pipeline = [
        dict(type='mcjepa_mm.LoadVideoFrame'),
        dict(type='mcjepa_mm.LoadObjectMask'),
        dict(type='mcjepa_mm.PackVideoFrame'),
    ]
    return DAVIS2016(
        str(tmp_path), split=None, resolution=None, pipeline=pipeline
    )


def test_objects_are_followed(clips):
    first = measure_propagation(clips, 'first mask', frames=7, step=2)
    assert list(first) == list(READOUTS)
    assert all(scores == first['stride8'] for scores in first.values())
    assert first['stride8']['rests'] == dict(JF=100, J=100, F=100)
    # frames 2 and 4 count, the first and the last do not
    masks = [
        clips[k]['data_samples'].gt_objects.data[0].numpy() for k in (0, 2, 4)
    ]
    scores = [object_scores(masks[0], mask, 1)[:, 0] for mask in masks[1:]]
    region, outline = 100 * np.mean(scores, axis=0)
    expected = dict(JF=(region + outline) / 2, J=region, F=outline)
    assert first['stride8']['moves'] == pytest.approx(expected)
    for encoder in ('colours', Colours()):
        found = measure_propagation(clips, encoder, frames=7, step=2)
        for name in ('all_stride4', 'white_all_stride4'):
            assert found[name]['moves']['J'] > 85
    with pytest.raises(ValueError, match="'moves' has 8 frames, of which 2"):
        measure_propagation(clips, 'first mask', frames=2, step=1)


def test_whitened_by_the_first_frame_alone(clips):
    """As the whitening of the first frame's cells, written out."""
    asked = []

    class Noisy(Colours):
        """With a channel that says where a cell is, and speaks loudest."""

        def maps(self, images):
            asked.append(images)
            torch.manual_seed(0)
            return [
                torch.cat([x, 1000 * torch.rand(x[:, :1].shape)], dim=1)
                for x in super().maps(images)
            ]

    found = measure_propagation(clips, Noisy(), frames=7, step=2)
    assert len(asked) == 2 * 4  # once a frame, for all read-outs
    cells = Noisy().maps(clips[0]['inputs'][None])[2]
    white = whitening(cells.flatten(2)[0].T)
    follower, scores = LabelPropagator(), []
    for index in (0, 2, 4):
        maps = Noisy().maps(clips[index]['inputs'][None])
        feat = feature_grid(
            maps, (64, 128), levels=[2], stride=8, whitening=[white]
        )[0]
        truth = clips[index]['data_samples'].gt_objects.data[0].numpy()
        if index == 0:
            follower.start(feat, truth)
            continue
        pred = follower.step(feat, (64, 128))
        scores.append(object_scores(pred, truth, 1)[:, 0])
    region, outline = 100 * np.mean(scores, axis=0)
    expected = dict(JF=(region + outline) / 2, J=region, F=outline)
    assert found['white_stride8']['moves'] == pytest.approx(expected)
    assert found['white_stride8']['moves'] != found['stride8']['moves']
