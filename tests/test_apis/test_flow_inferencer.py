import itertools
import weakref
from copy import deepcopy

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmflow.structures import FlowDataSample

from mcjepa_mm.apis import FlowInferencer, flow_inputs
from mcjepa_mm.datasets import BadSampleError


@pytest.fixture(scope='module')
def model(model):
    """In float64: a batch and its parts agree to the last digits."""
    return deepcopy(model).double()


def flows(samples):
    return torch.stack([x.pred_flow_fw.data for x in samples])


def by_test_step(model, first, second):
    """What the model says of a pair, by the way that mmflow's loops take."""
    pair = np.stack([first, second]).transpose(0, 3, 1, 2)
    data = dict(
        inputs=[torch.from_numpy(pair.copy())], data_samples=[FlowDataSample()]
    )
    with torch.no_grad():
        (sample,) = model.test_step(data)
    return sample.pred_flow_fw.data


def test_two_frames_that_are_no_list(inferencer, folder):
    first, second = str(folder / 'f0.png'), folder / 'f1.png'
    with pytest.raises(TypeError, match='list'):
        inferencer(first, second)
    with pytest.raises(ValueError, match='f0.png'):
        FlowInferencer(first, second)


def test_a_config_for_rgb_data_is_fed_rgb_as_well(config):
    cfg = Config.fromfile(config)
    built = [
        FlowInferencer(cfg, device='cpu').model.data_preprocessor
        for cfg.model.data_preprocessor.bgr_to_rgb in (True, False)
    ]
    assert [each.channel_conversion for each in built] == [True, True]


@pytest.fixture
def encoded(model):
    """Numbers of frames in the calls of the encoder so far."""
    calls = []
    hook = model.backbone.register_forward_hook(
        lambda _, inputs, __: calls.append(len(inputs[0]))
    )
    yield calls
    hook.remove()


def test_the_encoder_sees_what_it_was_trained_on(inferencer, model, frames):
    seen = []
    hook = model.backbone.register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0])
    )
    inferencer(frames[:3], batch_size=3, show_progress=False)
    hook.remove()
    rgb = np.stack(frames[:3])[..., ::-1].astype(np.float64)
    rgb = (rgb - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    (seen,) = seen
    np.testing.assert_allclose(
        seen[..., :64, :96], rgb.transpose(0, 3, 1, 2), atol=1e-6
    )


@pytest.mark.parametrize('batch_size', [1, 2, 3, 6, 9])
@pytest.mark.parametrize('kind', ['folder', 'video'])
def test_every_frame_of_a_sequence_is_encoded_once(
    request, inferencer, model, encoded, kind, batch_size
):
    path = request.getfixturevalue(kind)
    found = inferencer(path, batch_size=batch_size, show_progress=False)
    assert len(found) == 5
    assert sum(encoded) == 6 and max(encoded) == min(batch_size, 6)
    images = [x.image for x in flow_inputs.open_stream(path).frames]
    expected = [by_test_step(model, *x) for x in itertools.pairwise(images)]
    torch.testing.assert_close(flows(found), torch.stack(expected))


@pytest.mark.parametrize('batch_size', [1, 2, 3, 4, 8])
def test_pairs_of_different_sizes(
    inferencer, model, encoded, frames, batch_size
):
    small = [x[:40, :72] for x in frames]
    pairs = [frames[:2], frames[3:5], small[:2], frames[1:3]]
    found = inferencer(pairs, batch_size=batch_size, show_progress=False)
    assert sum(encoded) == 8
    assert [x.ori_shape for x in found] == [(64, 96)] * 2 + [
        (40, 72),
        (64, 96),
    ]
    for sample, pair in zip(found, pairs):
        torch.testing.assert_close(
            sample.pred_flow_fw.data, by_test_step(model, *pair)
        )


def test_both_ways(inferencer, frames):
    options = dict(show_progress=False, bidirectional=True)
    (there,) = inferencer(frames[:2], **options)
    (back,) = inferencer(frames[1::-1], **options)
    for name in ('flow', 'occ'):
        torch.testing.assert_close(
            there.get(f'pred_{name}_bw').data, back.get(f'pred_{name}_fw').data
        )
    assert there.pred_occ_fw.data.shape == (1, 64, 96)


def test_names_and_paths(inferencer, folder, video):
    found = inferencer(folder, show_progress=False)
    assert [x.frame_name for x in found] == ['f0', 'f1', 'f2', 'f3', 'f4']
    assert found[-1].img1_path == str(folder / 'f4.png')
    assert found[-1].img2_path == str(folder / 'f10.png')
    found = inferencer(video, max_frames=3, show_progress=False)
    assert [x.frame_name for x in found] == ['000000', '000001']
    assert {x.img1_path for x in found} == {str(video)}


def test_a_camera_is_read_as_long_as_it_is_asked(
    inferencer, encoded, video, frames, monkeypatch
):
    # There is no camera here: its capture is opened on a video.
    opened = []

    def capture(source):
        opened.append(source)
        return real(str(video))

    real = cv2.VideoCapture
    monkeypatch.setattr(flow_inputs.cv2, 'VideoCapture', capture)
    samples = inferencer.iterate(0)
    first, second = next(samples), next(samples)
    assert opened == [0]
    assert sum(encoded) == 3  # no frame ahead of the pair
    assert first.frame_name == '000000' and second.img1_path == 'camera 0'


def test_a_sequence_is_not_held_in_memory(inferencer, frames, monkeypatch):
    load = flow_inputs._load
    refs = []
    alive = 0

    def loaded(picture):
        image = load(picture)[0].copy()
        refs.append(weakref.ref(image))
        return image, ''

    monkeypatch.setattr(flow_inputs, '_load', loaded)
    # each batch of three, and the frame before it
    for _ in inferencer.iterate(frames * 5, batch_size=3):
        alive = max(alive, sum(ref() is not None for ref in refs))
    assert len(refs) == 30 and alive <= 4


def test_sizes_that_change(inferencer, frames, tmp_path):
    for i, frame in enumerate(frames[:3]):
        frame = frame[: 64 - 8 * (i == 2)]
        assert cv2.imwrite(str(tmp_path / f'{i}.png'), frame)
    with pytest.raises(
        BadSampleError,
        match='2.png.* 56 x 96 .* 64 x 96',
    ) as error:
        inferencer(tmp_path, show_progress=False)
    assert error.value.filename == str(tmp_path / '2.png')
    # what came before is delivered
    samples = inferencer.iterate(tmp_path)
    assert next(samples).frame_name == '0'


def test_a_video_of_one_frame(inferencer, frames, tmp_path):
    path = tmp_path / 'still.avi'
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (96, 64)
    )
    writer.write(frames[0])
    writer.release()
    with pytest.raises(ValueError, match='still'):
        inferencer(path, show_progress=False)


def test_scale(model, config, frames):
    model = FlowInferencer(model, scale=0.5).model
    assert model.scale == 0.5
    try:
        (sample,) = FlowInferencer(model)(frames[:2], show_progress=False)
        assert sample.pred_flow_fw.data.shape == (2, 64, 96)
        torch.testing.assert_close(
            sample.pred_flow_fw.data, by_test_step(model, *frames[:2])
        )
    finally:
        model.scale = 1.0
    with pytest.raises(ValueError, match='scale.* 0'):
        FlowInferencer(model, scale=0)


def test_progress(inferencer, frames, capsys):
    inferencer(frames)
    out = capsys.readouterr().out
    assert 'Flow' in out
    inferencer(frames, show_progress=False)
    assert capsys.readouterr().out == ''


def test_refusals(inferencer, frames, tmp_path):
    options = dict(show_progress=False, out_dir=tmp_path / 'out')
    with pytest.raises(ValueError, match='batch_size'):
        inferencer(frames, batch_size=0)
    with pytest.raises(ValueError, match="'occ'.*bidirectional"):
        inferencer(frames, save=['occ'], **options)
    with pytest.raises(ValueError, match='2 pairs'):
        inferencer([frames[:2], frames[2:4]], save=['video'], **options)
    for save in (['mp4'], [], 'flo'):
        with pytest.raises(ValueError, match='save'):
            inferencer(frames, save=save, **options)
    with pytest.raises(ValueError, match='max_flow'):
        inferencer(frames, max_flow=0, **options)
    assert not (tmp_path / 'out').exists()


def test_the_config_may_be_in_bidirectional_mode(config, frames, tmp_path):
    cfg = Config.fromfile(config)
    cfg.model.test_cfg = dict(scale=0.5, bidirectional=True)
    with pytest.warns(UserWarning, match='random'):
        inferencer = FlowInferencer(cfg, device='cpu')
    assert inferencer.model.scale == 0.5
    (sample,) = inferencer(frames[:2], show_progress=False)
    assert 'pred_occ_bw' in sample
