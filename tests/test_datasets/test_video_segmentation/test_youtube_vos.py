"""YouTube-VOS on files of the test: an object that begins later."""

import json

import numpy as np
import pytest
from PIL import Image

from mcjepa_mm.datasets import BadSampleError

FRAMES = (0, 5, 10, 20)  # nothing at 0, and no frame 15


def save_mask(path, *objects):
    """Object n has the n-th row of blocks of 6 pixels."""
    mask = np.zeros((24, 16), np.uint8)
    for number in objects:
        mask[6 * number - 6 : 6 * number] = number
    picture = Image.fromarray(mask, 'P')
    picture.putpalette(list(range(256)) * 3)
    picture.save(path)


@pytest.fixture
def root(tmp_path):
    """Object 2 begins at frame 5 and object 1 at frame 20, in both splits."""
    rng = np.random.default_rng(0)
    starts = {'1': ['00020'], '2': ['00005', '00010', '00020']}
    objects = {k: dict(category='cat', frames=v) for k, v in starts.items()}
    for split in ('valid', 'train'):
        for part in ('JPEGImages', 'Annotations'):
            (tmp_path / split / part / 'ab12').mkdir(parents=True)
        for t in FRAMES:
            image = rng.integers(256, size=(24, 16, 3), dtype=np.uint8)
            path = tmp_path / split / f'JPEGImages/ab12/{t:05d}.jpg'
            Image.fromarray(image).save(path)
        masks = tmp_path / split / 'Annotations/ab12'
        save_mask(masks / '00005.png', 2)
        save_mask(masks / '00020.png', 1, 2)
        if split == 'train':
            save_mask(masks / '00010.png', 2)
        meta = json.dumps(dict(videos=dict(ab12=dict(objects=objects))))
        (tmp_path / split / 'meta.json').write_text(meta)
    return tmp_path


@pytest.fixture
def build(build, root):
    return lambda **kwargs: build('YouTubeVOS', data_root=str(root), **kwargs)


@pytest.mark.parametrize('split', ['valid', 'train'])
def test_objects_begin_where_meta_says(build, split):
    dataset = build(split=split)
    # from the first object on
    assert dataset.sequences == [range(3)]
    samples = [dataset[i]['data_samples'] for i in range(3)]
    names = [sample.frame_name for sample in samples]
    assert names == ['00005', '00010', '00020']
    assert [sample.new_objects for sample in samples] == [(2,), (), (1,)]
    known = [1, 1, 1] if split == 'train' else [1, 0, 1]
    assert [int('gt_objects' in sample) for sample in samples] == known
    last = samples[2].gt_objects.data[0].numpy()
    assert (last[:6] == 1).all() and (last[6:12] == 2).all()


def test_a_part_of_it(build):
    short = build(max_frames=2, sequences='ab12')
    assert [short.get_data_info(i)['new_objects'] for i in (0, 1)] == [
        (2,),
        (),
    ]
    with pytest.raises(ValueError, match='step=2'):
        build(step=2)
    with pytest.raises(ValueError, match='cd34'):
        build(sequences=['cd34'])


def remove(name):
    return lambda root: (root / 'valid' / name).unlink()


def change_meta(change):
    def damage(root):
        path = root / 'valid/meta.json'
        path.write_text(change(path.read_text()))

    return damage


@pytest.mark.parametrize(
    'damage, error, message',
    [
        (remove('meta.json'), FileNotFoundError, r'meta\.json is no file'),
        (
            remove('Annotations/ab12/00020.png'),
            FileNotFoundError,
            r'00020\.jpg, in which object\(s\) \[1\] begin',
        ),
        (
            remove('JPEGImages/ab12/00010.jpg'),
            FileNotFoundError,
            r'no frame 00010\.jpg.* object 2',
        ),
        (change_meta(lambda x: x[:-5]), ValueError, r'meta\.json is not'),
        (
            change_meta(lambda x: x.replace('objects', 'things')),
            ValueError,
            "KeyError.*'objects'",
        ),
        (
            change_meta(lambda x: x.replace('["00020"]', '[]')),
            ValueError,
            "'ab12' has no object, or one without a frame",
        ),
        (
            change_meta(lambda x: x.replace('ab12', 'cd34')),
            FileNotFoundError,
            'JPEGImages/cd34',
        ),
    ],
)
def test_what_is_missing_is_named(build, root, damage, error, message):
    damage(root)
    with pytest.raises(error, match=message):
        build()


def test_an_object_that_its_first_mask_lacks(build, root):
    masks = root / 'valid/Annotations/ab12'
    save_mask(masks / '00020.png', 2)
    dataset = build()
    with pytest.raises(BadSampleError, match=r'lacks object\(s\) \[1\]'):
        dataset[2]
    save_mask(masks / '00005.png', 3)
    with pytest.raises(BadSampleError, match=r'00005\.png lacks .*\[2\]'):
        build()
