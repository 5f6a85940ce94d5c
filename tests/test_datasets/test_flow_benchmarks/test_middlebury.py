"""Middlebury's layout: two scenes of the test's own, one without labels."""

import cv2
import numpy as np
import pytest
import torch

from mcjepa_mm.datasets import BadSampleError
from mcjepa_mm.registry import DATASETS

PIPELINE = [
    dict(type='mcjepa_mm.LoadFlowPair'),
    dict(type='mcjepa_mm.LoadFlowAnnotations'),
    dict(type='mcjepa_mm.PackFlow'),
]


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for folder, scene in (
        ('other-data', 'Venus'),
        ('other-data', 'Beanbags'),  # has frames and no flow
        ('other-data', 'Grove2'),
        ('eval-data', 'Army'),
    ):
        place = tmp_path / folder / scene
        place.mkdir(parents=True)
        for number in (9, 10, 11):
            image = rng.integers(256, size=(4, 6, 3), dtype=np.uint8)
            assert cv2.imwrite(str(place / f'frame{number:02d}.png'), image)
    for scene, flow in (('Venus', 3.0), ('Grove2', 4.0)):
        field = np.full((4, 6, 2), flow, '<f4')
        field[0, 0] = 1666666752.0  # as the archive has it
        field[0, 1, 1] = -1e9
        place = tmp_path / 'other-gt-flow' / scene
        place.mkdir(parents=True)
        header = b'PIEH' + np.array([6, 4], '<i4').tobytes()
        (place / 'flow10.flo').write_bytes(header + field.tobytes())
    return tmp_path


def build(root, **kwargs):
    config = dict(type='mcjepa_mm.Middlebury', data_root=str(root))
    return DATASETS.build(dict(config, **kwargs))


def test_pairs_with_labels_and_what_is_not_known(root):
    dataset = build(root, pipeline=PIPELINE)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [info['scene'] for info in infos] == ['Grove2', 'Venus']
    for info, value in zip(infos, (4.0, 3.0)):
        place = root / 'other-data' / info['scene']
        assert info['img1_path'] == str(place / 'frame10.png')
        assert info['img2_path'] == str(place / 'frame11.png')
        sample = dataset[infos.index(info)]
        first = cv2.imread(info['img1_path'])
        np.testing.assert_array_equal(
            sample['inputs'][0].numpy(), first.transpose(2, 0, 1)
        )
        valid = sample['data_samples'].gt_valid_fw.data[0] != 0
        expected = torch.ones(4, 6, dtype=torch.bool)
        expected[0, :2] = False
        assert torch.equal(valid, expected)
        flow = sample['data_samples'].gt_flow_fw.data
        assert torch.equal(flow[:, valid], torch.full((2, 22), value))


def test_evaluation_set_has_no_flow(root):
    dataset = build(root, test_mode=True)
    (info,) = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert info['scene'] == 'Army' and 'flow_fw_path' not in info


def test_what_is_missing_is_said(root):
    (root / 'other-data/Venus/frame11.png').unlink()
    dataset = build(root, pipeline=PIPELINE)
    dataset[0]
    with pytest.raises(BadSampleError, match='Venus/frame11.png'):
        dataset[1]
    match = 'other-data.*Middlebury'
    with pytest.raises(FileNotFoundError, match=match):
        build(root / 'eval-data')
