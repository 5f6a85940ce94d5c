import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmflow.structures import FlowDataSample

from mcjepa_mm.apis.flow_inputs import Frame
from mcjepa_mm.apis.flow_outputs import ColorScale, FlowWriter
from mcjepa_mm.datasets.flow_files import read_flow
from mcjepa_mm.visualization import flow_to_rgb


def read(path):
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, path
    return image[..., ::-1] if image.ndim == 3 else image


def read_video(path):
    capture = cv2.VideoCapture(str(path))
    pictures = []
    while True:
        good, picture = capture.read()
        if not good:
            return pictures, capture.get(cv2.CAP_PROP_FPS)
        pictures.append(picture[..., ::-1])


def files(folder):
    return sorted(
        str(x.relative_to(folder)) for x in folder.rglob('*') if x.is_file()
    )


@pytest.fixture
def sample():
    """Right by 4 px on the left, down by 2.5 px on the right; and back."""
    flow = torch.zeros(2, 64, 96)
    flow[0, :, :48] = 4
    flow[1, :, 48:] = 2.5
    occluded = torch.zeros(1, 64, 96)
    occluded[..., :10] = 1
    fields = dict(flow_fw=flow, flow_bw=-flow, occ_fw=occluded)
    fields['occ_bw'] = 1 - occluded
    sample = FlowDataSample()
    for name, data in fields.items():
        sample.set_field(PixelData(data=data), f'pred_{name}')
    return sample


@pytest.fixture
def frame(frames):
    return Frame(frames[0], 'a.png', 'a', 0)


def test_every_format(tmp_path, frame, sample):
    out = tmp_path / 'deep' / 'out'
    formats = ('flo', 'png', 'color', 'occ', 'video')
    with FlowWriter(out, formats, title='walk', fps=12.5) as writer:
        for name in ('a', 'b'):
            writer.write(frame._replace(name=name), sample)
    folders = [f'{kind}{way}' for kind in formats[:4] for way in ('', '_bw')]
    expected = [
        f'{folder}/{name}.{"flo" if "flo" in folder else "png"}'
        for folder in folders
        for name in ('a', 'b')
    ]
    assert files(out) == sorted([*expected, 'walk.mp4'])

    flow = sample.pred_flow_fw.data.numpy()
    for suffix in ('flo', 'png'):
        there, valid = read_flow(out / suffix / f'a.{suffix}')
        np.testing.assert_array_equal(there, flow)
        assert valid.all()
        back, _ = read_flow(out / f'{suffix}_bw' / f'a.{suffix}')
        np.testing.assert_array_equal(back, -flow)
    occluded = read(out / 'occ' / 'a.png')
    np.testing.assert_array_equal(occluded[:, :10], 255)
    np.testing.assert_array_equal(occluded[:, 10:], 0)
    np.testing.assert_array_equal(
        read(out / 'occ_bw' / 'a.png'), 255 - occluded
    )
    color = read(out / 'color' / 'a.png')
    # 4 px is drawn on a scale of 4 px; white and the legend beside
    np.testing.assert_array_equal(color[:64, :96], flow_to_rgb(flow, 4))
    assert (color[64:, :96] == 255).all()
    assert (color[:, 100:] != 255).any()

    pictures, fps = read_video(out / 'walk.mp4')
    assert len(pictures) == 2 and fps == 12.5
    parts = (frame.image[..., ::-1], flow_to_rgb(flow, 4))
    for left, part in zip((0, 100), parts):
        there = pictures[0][:64, left : left + 96].astype(float)
        assert np.abs(there - part).mean() < 12  # the codec
    # red and yellow: not blue and cyan, as with channels swapped
    red, _, blue = pictures[0][32, 120].astype(int)
    assert red > blue + 100


def test_a_failure_leaves_no_video_and_a_stop_leaves_what_there_is(
    tmp_path, frame, sample
):
    def run(error, folder):
        with pytest.raises(type(error)):
            with FlowWriter(folder, ('video',), title='walk') as writer:
                writer.write(frame, sample)
                raise error

    run(RuntimeError(), tmp_path / 'failed')
    assert files(tmp_path / 'failed') == []
    run(KeyboardInterrupt(), tmp_path / 'stopped')
    assert files(tmp_path / 'stopped') == ['walk.mp4']
    assert len(read_video(tmp_path / 'stopped' / 'walk.mp4')[0]) == 1


def test_files_of_a_consumer_that_stops(inferencer, video, tmp_path):
    samples = inferencer.iterate(
        video, out_dir=tmp_path, save=('flo', 'video')
    )
    for _ in range(2):
        next(samples)
    samples.close()
    assert files(tmp_path) == [
        'flo/000000.flo',
        'flo/000001.flo',
        'walk_flow.mp4',
    ]
    pictures, fps = read_video(tmp_path / 'walk_flow.mp4')
    assert len(pictures) == 2 and fps == 12.5


def flow(length):
    return np.full((2, 8, 8), length / 2**0.5)


def test_the_scale_follows_a_clip():
    scale = ColorScale()
    # noise stays pale, wild pairs do not count, nor do short breaks
    assert [scale(flow(x), 0) for x in [2.9] * 10] == [3] * 10
    assert [scale(flow(x), 0) for x in (400, 0.1, 2.9, 2.9)] == [3] * 4
    faster = [scale(flow(12), 0) for _ in range(10)]
    assert faster[0] == 3 and faster[-1] == 15
    # less than half of 15, but only once the fast pairs are forgotten
    slower = [scale(flow(5), 0) for _ in range(40)]
    assert slower == sorted(slower, reverse=True)
    assert slower[0] == 15 and set(slower) == {15, 6}
    # neither up nor down, or it would flicker
    assert {scale(flow(x), 0) for x in (4.9, 3.1, 1.9, 4.9) * 10} == {6}
    assert scale(flow(1.9), 1) == 2  # another clip


def test_the_scale_of_a_pair():
    wild = flow(1.9).repeat(8, axis=1)
    wild[:, 0, 0] = 1000  # one vector among many
    assert ColorScale()(wild, 0) == 2
    assert ColorScale()(flow(0), 0) == 1
    fixed = ColorScale(7.5)
    assert [fixed(flow(x), 0) for x in (3, 100)] == [7.5] * 2
