"""DAVIS 2016 in both its layouts and without lists, on files of the test."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def davis(tmp_path):
    """Three clips of three frames; one mask has two objects and 255."""
    rng = np.random.default_rng(0)
    for clip in ('bear', 'cow', 'dog'):
        for part in ('JPEGImages', 'Annotations'):
            (tmp_path / part / '480p' / clip).mkdir(parents=True)
        for t in range(3):
            name = f'480p/{clip}/{t:05d}'
            image = rng.integers(256, size=(8, 12, 3), dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / f'JPEGImages/{name}.jpg')
            mask = np.zeros((8, 12), np.uint8)
            mask[t : t + 3] = 255
            picture = Image.fromarray(mask)
            if clip == 'dog':
                mask[:, :4], mask[:, 4:8], mask[0, 8:] = 1, 2, 255
                mask[1:, 8:] = 0
                picture = Image.fromarray(mask, 'P')
                picture.putpalette(list(range(256)) * 3)
            picture.save(tmp_path / f'Annotations/{name}.png')
    return tmp_path


@pytest.fixture
def build(build):
    return lambda root, **kwargs: build(
        'DAVIS2016', data_root=str(root), **kwargs
    )


def names(dataset):
    frames = [dataset.get_data_info(r[0]) for r in dataset.sequences]
    return [frame['sequence'] for frame in frames]


def objects(dataset, index):
    return dataset[index]['data_samples'].gt_objects.data[0].numpy()


def test_its_own_archive_lists_frames_and_masks(build, davis):
    (davis / 'ImageSets/480p').mkdir(parents=True)
    lines = [
        f'/JPEGImages/480p/{clip}/{t:05d}.jpg '
        f'/Annotations/480p/{clip}/{t:05d}.png \n'
        for clip in ('dog', 'bear')
        for t in range(3)
    ]
    (davis / 'ImageSets/480p/val.txt').write_text(''.join(lines))
    dataset = build(davis)
    assert names(dataset) == ['dog', 'bear'] and len(dataset) == 6
    assert names(build(davis, sequences='bear')) == ['bear']
    mask = objects(dataset, 4)  # bear, t = 1
    assert set(np.unique(mask[1:4])) == {1} and mask.sum() == 36
    with pytest.raises(ValueError, match='cow'):
        build(davis, sequences=['cow'])


def test_the_archive_of_2017_lists_names_and_numbers_parts(build, davis):
    (davis / 'ImageSets/2016').mkdir(parents=True)
    (davis / 'ImageSets/2016/val.txt').write_text('cow\ndog\n')
    dataset = build(davis)
    assert names(dataset) == ['cow', 'dog']
    expected = np.zeros((8, 12), np.uint8)
    expected[:, :8], expected[0, 8:] = 1, 255  # undecided stays so
    np.testing.assert_array_equal(objects(dataset, 3), expected)
    with pytest.raises(FileNotFoundError, match='2016/train.txt'):
        build(davis, split='train')
