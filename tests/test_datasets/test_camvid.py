"""CamVid in both its layouts, and what mmsegmentation makes of it."""

import numpy as np
import pytest
from mmengine.dataset import Compose
from PIL import Image

import mcjepa_mm  # noqa: F401  (patches imports)
from mcjepa_mm.datasets import CamVid
from mcjepa_mm.registry import TRANSFORMS


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
    for number in range(3):
        image = rng.integers(256, size=(8, 12, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f'images/a.{number}.jpg')
        mask = np.arange(96, dtype=np.uint8).reshape(8, 12) % 12
        Image.fromarray(mask).save(tmp_path / f'masks/a.{number}.png')
    (tmp_path / 'train.txt').write_text('a.0\na.2\n')
    (tmp_path / 'val.txt').write_text('a.1\n')
    (tmp_path / 'some.txt').write_text('a.2\n\n')
    return tmp_path


def names(dataset):
    infos = map(dataset.get_data_info, range(len(dataset)))
    return [info['img_path'].rsplit('/', 1)[1] for info in infos]


def test_lists_and_classes(root, monkeypatch):
    assert names(CamVid(str(root))) == ['a.0.jpg', 'a.2.jpg']
    dataset = CamVid(str(root), ann_file='val.txt')
    assert names(dataset) == ['a.1.jpg']
    assert len(dataset.metainfo['classes']) == 11
    assert len(dataset.metainfo['palette']) == 11
    monkeypatch.chdir(root.parent)
    info = CamVid(root.name).get_data_info(0)
    assert info['seg_map_path'] == f'{root.name}/masks/a.0.png'
    # a list of one's own, in the folder or anywhere
    assert names(CamVid(str(root), ann_file='some.txt')) == ['a.2.jpg']
    path = root / 'elsewhere' / 'few.txt'
    path.parent.mkdir()
    path.write_text('a.1.jpg\n')
    assert names(CamVid(str(root), ann_file=str(path))) == ['a.1.jpg']


def test_unlabelled_pixels_are_ignored(root):
    load = TRANSFORMS.build(dict(type='mmseg.LoadAnnotations'))
    info = CamVid(str(root)).get_data_info(0)
    mask = Compose([load])(info)['gt_seg_map']
    expected = np.arange(96).reshape(8, 12) % 12
    expected[expected == 11] = 255
    np.testing.assert_array_equal(mask, expected)


def test_layout_of_segnet_s_copy(root):
    (root / 'images').rename(root / 'train')
    (root / 'masks').rename(root / 'trainannot')
    line = '/SegNet/CamVid/{}/b.png'
    text = f'{line.format("train")} {line.format("trainannot")}\n'
    (root / 'train.txt').write_text(text)
    prefix = dict(img_path='train', seg_map_path='trainannot')
    dataset = CamVid(str(root), data_prefix=prefix, img_suffix='.png')
    info = dataset.get_data_info(0)
    assert info['img_path'] == str(root / 'train/b.png')
    assert info['seg_map_path'] == str(root / 'trainannot/b.png')


def test_what_is_missing_is_said(root):
    with pytest.raises(FileNotFoundError, match='test.txt'):
        CamVid(str(root), ann_file='test.txt')
    (root / 'train.txt').write_text('\n')
    with pytest.raises(ValueError, match='train.txt'):
        CamVid(str(root))
    (root / 'masks').rename(root / 'labels')
    with pytest.raises(FileNotFoundError, match='masks'):
        CamVid(str(root), ann_file='val.txt')
