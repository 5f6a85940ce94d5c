"""ImageNet's layout of the embedded world, read by mmpretrain."""

import numpy as np
from mmpretrain.datasets import CustomDataset, ImageNet

from mcjepa_mm.datasets.embedded_world.export import export
from mcjepa_mm.datasets.transforms import read_image

NUM = 12  # more than there are classes


def test_both_forms_name_the_same_pictures(tmp_path):
    root = tmp_path / 'imagenet'
    export('imagenet', root, num_scenes=NUM, size=(64, 80), seed=3)
    for split in ('train', 'val'):
        words = dict(data_root=str(root), pipeline=[])
        folders = CustomDataset(data_prefix=split, **words)
        names = [x.replace('_', ' ') for x in folders.metainfo['classes']]
        assert names[0] == '0 striped disc' and len(names) == 10
        listed = ImageNet(split=split, metainfo=dict(classes=names), **words)
        assert listed.ann_file.endswith(f'meta/{split}.txt')
        bare = ImageNet(
            data_prefix=split, metainfo=dict(classes=names), **words
        )
        assert bare.ann_file == ''
        expected = {
            (f'{number:08d}.JPEG', number % 10) for number in range(NUM)
        }
        for dataset in (folders, listed, bare):
            found = {
                (info['img_path'][-13:], info['gt_label'])
                for info in map(dataset.get_data_info, range(len(dataset)))
            }
            assert len(dataset) == NUM and found == expected


def test_a_picture_is_the_portrait_of_its_class(exported):
    root, scene_set = exported('imagenet')
    for split in ('train', 'val'):
        for label, folder in enumerate(sorted((root / split).iterdir())):
            (file,) = folder.iterdir()
            bgr = read_image(str(file))
            portrait = (
                scene_set.world(split).object_image(label, label).frame(0)
            )
            difference = np.abs(bgr[..., ::-1].astype(int) - portrait)
            assert difference.mean() < 4  # JPEG
