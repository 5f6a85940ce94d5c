from pathlib import Path

import cv2
import mmcv
import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement, PixelData

from mcjepa_mm.evaluation import FlowSubmission
from mcjepa_mm.registry import METRICS


def predicted(path, seed=0, size=(5, 8)):
    flow = 20 * np.random.default_rng(seed).normal(size=(2, *size))
    meta = dict(img1_path=path, ori_shape=size)
    sample = BaseDataElement(metainfo=meta)
    sample.pred_flow_fw = PixelData(data=torch.tensor(flow).float())
    return sample


def flow_of(sample):
    return sample.pred_flow_fw.data.permute(1, 2, 0).numpy()


def files_in(folder):
    paths = [path for path in Path(folder).rglob('*') if path.is_file()]
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def submit(out_dir, layout, *samples):
    evaluator = Evaluator(FlowSubmission(str(out_dir), layout))
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def test_sintel(tmp_path):
    out = tmp_path / 'not' / 'there'
    names = ['clean/ambush_1', 'final/PERTURBED_market_3', 'clean/ambush_1']
    samples = [
        predicted(f'/data/test/{name}/frame_{number:04}.png', number)
        for number, name in enumerate(names, 1)
    ]
    metric = dict(
        type='mcjepa_mm.FlowSubmission', out_dir=str(out), layout='sintel'
    )
    evaluator = Evaluator(METRICS.build(metric))
    evaluator.process(samples)
    assert evaluator.evaluate(3) == dict(files=3)
    expected = [f'{n}/frame{i:04}.flo' for i, n in enumerate(names, 1)]
    assert files_in(out) == sorted(expected)
    for name, sample in zip(expected, samples, strict=True):
        flow = mmcv.flowread(str(out / name))
        assert np.array_equal(flow, flow_of(sample))


def test_kitti(tmp_path):
    sample = predicted('testing/image_2/000123_10.png')
    assert submit(tmp_path, 'kitti', sample) == dict(files=1)
    assert files_in(tmp_path) == ['flow/000123_10.png']
    path = str(tmp_path / 'flow' / '000123_10.png')
    data = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    assert data.dtype == np.uint16 and data.shape == (5, 8, 3)
    assert (data[..., 0] == 1).all()  # BGR: the third channel, validity
    flow = (data[..., :0:-1].astype(np.float64) - 2**15) / 64
    assert np.abs(flow - flow_of(sample)).max() <= 1 / 128


@pytest.mark.parametrize('value', [float('nan'), float('inf'), 600.0])
def test_what_the_format_cannot_hold_names_the_sample(tmp_path, value):
    path = 'testing/image_2/000007_10.png'
    sample = predicted(path)
    sample.pred_flow_fw.data[1, 2, 3] = value
    with pytest.raises(ValueError, match=f'predicted for {path}'):
        submit(tmp_path, 'kitti', sample)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    'layout, path',
    [
        ('sintel', 'test/albedo/ambush_1/frame_0001.png'),
        ('sintel', 'test/clean/ambush_1/0001.png'),
        ('sintel', 'testing/image_2/000000_10.png'),
        ('kitti', 'test/clean/ambush_1/frame_0001.png'),
        ('kitti', 'testing/image_2/000000_11.png'),
    ],
)
def test_images_that_are_not_of_the_test_set(tmp_path, layout, path):
    with pytest.raises(ValueError, match=f'{path}: .*{layout}'):
        submit(tmp_path, layout, predicted(path))
    assert files_in(tmp_path) == []


def test_refuses(tmp_path):
    path = 'testing/image_2/000000_10.png'
    with pytest.raises(ValueError, match="'sintel', 'kitti'.*'hd1k'"):
        FlowSubmission(str(tmp_path), 'hd1k')
    sample = predicted(path)
    del sample.pred_flow_fw
    with pytest.raises(KeyError, match='pred_flow_fw'):
        submit(tmp_path, 'kitti', sample)
    sample = predicted(path)
    sample.set_metainfo(dict(ori_shape=(6, 8)))
    with pytest.raises(ValueError, match=rf'{path}: .*\(2, 6, 8\).*\(2, 5,'):
        submit(tmp_path, 'kitti', sample)
    twice = [predicted(path), predicted('2012/' + path)]
    with pytest.raises(ValueError, match='2 samples went to 1 files'):
        submit(tmp_path, 'kitti', *twice)


def share(rank, folder):
    evaluator = Evaluator(FlowSubmission(f'{folder}/out', 'kitti'))
    # three samples; the second process is padded with the first one
    for number in ((0, 2), (1, 0))[rank]:
        name = f'testing/image_2/{number:06}_10.png'
        evaluator.process([predicted(name, number)])
    assert evaluator.evaluate(3) == dict(files=3)


@pytest.mark.slow
def test_two_processes_write_their_own_samples(tmp_path, two_processes):
    two_processes(__file__, tmp_path)
    assert files_in(tmp_path / 'out') == [
        f'flow/{number:06}_10.png' for number in range(3)
    ]
