"""What mmsegmentation's data sets read in the exported layouts."""

import warnings

import mmengine
import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mcjepa_mm.datasets.embedded_world import CLASSES

# Layout, mmsegmentation's file of settings and the data's root in it.
BASES = dict(
    voc2012_aug=('pascal_voc12_aug', 'data/VOCdevkit/VOC2012'),
    ade20k=('ade20k', 'data/ade/ADEChallengeData2016'),
    cityscapes=('cityscapes', 'data/cityscapes'),
)
PARTS = dict(voc2012_aug='VOCdevkit/VOC2012', ade20k='ADEChallengeData2016')
CASES = [(layout, split) for layout in BASES for split in ('train', 'val')]


def settings(layout):
    """mmsegmentation's own, as it ships them."""
    import mmseg

    folder = mmengine.utils.get_installed_path('mmseg')
    assert mmseg.__version__.startswith('1.')
    name, _ = BASES[layout]
    return Config.fromfile(f'{folder}/.mim/configs/_base_/datasets/{name}.py')


def moved(node, root):
    """The settings with another data root, and pictures as they are."""
    for key, value in list(node.items()):
        if key == 'data_root':
            node[key] = str(root)
            node['type'] = f'mmseg.{node["type"]}'
        elif key == 'pipeline':
            node[key] = [
                dict(step, _scope_='mmseg')
                for step in value
                if step['type'] in ('LoadImageFromFile', 'LoadAnnotations')
            ]
        elif isinstance(value, dict):
            moved(value, root)
        elif key == 'datasets':
            for part in value:
                moved(part, root)
    return node


@pytest.fixture
def read(exported):
    def read(layout, split):
        import mmseg.datasets  # noqa: F401
        from mmseg.registry import DATASETS

        root, stage = exported(layout)
        cfg = settings(layout)[f'{split}_dataloader']['dataset']
        cfg = moved(cfg, root / PARTS.get(layout, ''))
        with warnings.catch_warnings():
            # mmsegmentation's own settings: `reduce_zero_label` is on its way
            # out.
            warnings.simplefilter('ignore')
            dataset = DATASETS.build(cfg)
            return [dataset[i] for i in range(len(dataset))], stage, dataset

    return read


def expected(scenes, num_frames):
    """Picture and labels of every frame, in order."""
    return [
        (scene.frame(t), scene.class_mask(t), scene.instance_mask(t))
        for scene in scenes
        for t in range(num_frames)
    ]


def touches_another(instances):
    """By hand: a neighbour, also a diagonal one, of another instance."""
    height, width = instances.shape
    touching = np.zeros(instances.shape, bool)
    for y in range(height):
        for x in range(width):
            window = instances[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            touching[y, x] = (window != instances[y, x]).any()
    return touching


@pytest.mark.parametrize('layout, split', CASES)
def test_labels_are_the_world_s_with_void_outlines(read, layout, split):
    samples, stage, dataset = read(layout, split)
    world = stage.world(split)
    scenes = [world.scene(i) for i in range(2)]
    if (layout, split) == ('voc2012_aug', 'train'):
        scenes += [world.scene(i) for i in (2, 3)]
    frames = expected(scenes, 4)
    assert len(samples) == len(frames)
    lossless = layout == 'cityscapes'
    for i, (sample, (image, labels, instances)) in enumerate(
        zip(samples, frames)
    ):
        # mmcv reads BGR
        error = np.abs(sample['img'][..., ::-1].astype(int) - image)
        assert error.mean() <= (0 if lossless else 8)
        if i < 8:
            void = touches_another(instances)
            assert 0 < void.mean() < 0.3
            labels = np.where(void, 255, labels)
        np.testing.assert_array_equal(sample['gt_seg_map'], labels)
    assert len(dataset.metainfo['classes']) > len(CLASSES)


def test_voc_lists_are_apart(exported):
    root, _ = exported('voc2012_aug')
    lists = root / 'VOCdevkit/VOC2012/ImageSets/Segmentation'
    names = {p.stem: p.read_text().split() for p in lists.iterdir()}
    assert [len(names[k]) for k in ('train', 'aug', 'val')] == [8, 8, 8]
    assert names['trainval'] == names['train'] + names['val']
    assert names['trainaug'] == names['train'] + names['aug']
    assert len({*names['trainaug'], *names['val']}) == 24


def test_cityscapes_label_ids_are_those_of_the_train_ids(exported):
    root, _ = exported('cityscapes')
    # as cityscapesScripts' helpers/labels.py has them
    label_ids = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23]
    for path in root.glob('gtFine/*/*/*_labelTrainIds.png'):
        train_ids = np.array(Image.open(path))
        name = path.name.replace('TrainIds', 'Ids')
        ids = np.array(Image.open(path.with_name(name)))
        if 'test' in path.parts:
            assert (train_ids == 255).all() and (ids == 0).all()
            continue
        assert set(np.unique(train_ids)) <= {*range(11), 255}
        assert (ids[train_ids == 255] == 0).all()
        known = train_ids != 255
        np.testing.assert_array_equal(
            ids[known], np.array(label_ids)[train_ids[known]]
        )
