import torch
from mmengine.structures import BaseDataElement

from mcjepa_mm.engine.sample_names import sample_names, shorten


def batch(*infos):
    return dict(
        inputs=torch.zeros(len(infos), 3),
        data_samples=[BaseDataElement(metainfo=info) for info in infos],
    )


def test_samples_are_called_by_files_and_numbers():
    names = sample_names(
        batch(
            dict(img_path='a.png', sample_idx=4, ori_shape=(2, 2)),
            dict(img_path=['v.mp4', 'v.mp4'], frame_indices=[3, 5]),
            dict((f'img{i}_path', f'{i}.png') for i in range(1, 7)),
            dict(sample_idx=9),
            dict(ori_shape=(2, 2)),
        )
    )
    assert names == [
        'a.png (sample_idx 4)',
        'v.mp4 (frame_indices [3, 5])',
        '1.png and 2.png and 3.png and 4.png and 5.png and 6.png',
        'sample_idx 9',
        'sample 4',
    ]


def test_the_forms_of_a_batch():
    one, two = batch(dict(sample_idx=1)), batch(dict(sample_idx=2))
    tasks = dict(content=one, motion=two)
    assert sample_names(tasks, 'motion') == ['sample_idx 2']
    assert sample_names(tasks, 'decode') == sample_names(tasks)
    assert sample_names(tasks) == [
        'content: sample_idx 1',
        'motion: sample_idx 2',
    ]
    assert sample_names(dict(inputs=torch.zeros(2, 3))) == [
        'sample 0',
        'sample 1',
    ]
    listed = [dict(data_samples=BaseDataElement()), dict(inputs=0)]
    assert sample_names(listed) == ['sample 0', 'sample 1']
    assert sample_names(None) == []
    assert sample_names(torch.zeros(2)) == []


def test_long_lists_are_cut():
    assert shorten(['a', 'b'], limit=2) == 'a, b'
    assert shorten(['a', 'b', 'c', 'd'], limit=2) == 'a, b and 2 more'
