from itertools import islice

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger

from mcjepa_mm.apis.flow_inputs import open_stream
from mcjepa_mm.datasets import BadSampleError


def names(stream):
    return [frame.name for frame in stream.frames]


def test_two_paths_and_two_arrays_are_one_clip(folder, frames):
    paths = [str(folder / 'f0.png'), folder / 'f1.png']
    stream = open_stream(paths)
    assert (stream.num_pairs, stream.num_clips) == (1, 1)
    of_files = list(stream.frames)
    of_arrays = list(open_stream(frames[:2]).frames)
    for a, b, frame in zip(of_files, of_arrays, frames):
        np.testing.assert_array_equal(a.image, frame)  # BGR, both
        np.testing.assert_array_equal(b.image, frame)
    assert [x.path for x in of_files] == [str(x) for x in paths]
    assert [x.name for x in of_files] == ['f0', 'f1']
    assert [x.name for x in of_arrays] == ['000000', '000001']


def test_pairs_are_clips_and_names_stay_apart(folder, frames):
    a, b, c = (folder / f'f{i}.png' for i in range(3))
    stream = open_stream([(a, b), [b, c]])
    assert (stream.num_pairs, stream.num_clips) == (2, 2)
    found = list(stream.frames)
    assert [x.clip for x in found] == [0, 0, 1, 1]
    assert [x.name for x in found] == ['f0', 'f1', 'f1', 'f2']
    # the first frames would have one name
    found = names(open_stream([(a, b), (a, c)]))
    assert found == ['000000_f0', '000001_f1', '000002_f0', '000003_f2']


def test_a_video_is_read_lazily_and_in_order(video, frames):
    stream = open_stream(str(video))
    assert (stream.num_pairs, stream.fps) == (5, 12.5)
    assert stream.title == 'walk'
    found = list(stream.frames)
    assert [x.name for x in found] == [f'{i:06d}' for i in range(6)]
    for x, frame in zip(found, frames):
        assert np.abs(x.image.astype(float) - frame).mean() < 8  # the codec
    # Nothing is decoded ahead: the capture of a camera never ends.
    frames = open_stream(video).frames
    assert len(list(islice(frames, 2))) == 2
    frames.close()


def test_cut(video):
    stream = open_stream(video).cut(3)
    assert stream.num_pairs == 2 and len(list(stream.frames)) == 3
    stream = open_stream(video).cut(99)
    assert stream.num_pairs == 5 and len(list(stream.frames)) == 6
    with pytest.raises(ValueError, match='2.* 1'):
        open_stream(video).cut(1)


def test_a_truncated_video_gives_what_it_has(
    video, frames, tmp_path, monkeypatch
):
    # An AVI keeps its index at the end and is readable without.
    path = tmp_path / 'cut.avi'
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (96, 64)
    )
    for frame in frames:
        writer.write(frame)
    writer.release()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    told = []
    logger = MMLogger.get_instance('cut')
    monkeypatch.setattr(
        logger, 'callHandlers', lambda record: told.append(record.getMessage())
    )
    found = list(open_stream(path).frames)
    assert 0 < len(found) < 6
    assert told == [
        f'{path}: {len(found)} frames can be decoded, though there should be '
        '6; the file is truncated or damaged'
    ]


def test_refusals(folder, frames, tmp_path):
    with pytest.raises(FileNotFoundError, match='none.mp4'):
        open_stream('none.mp4')
    with pytest.raises(FileNotFoundError, match='camera 999'):
        open_stream(999)
    with pytest.raises(ValueError, match='f0.png'):
        open_stream(folder / 'f0.png')
    with pytest.raises(ValueError, match='0 images'):
        open_stream(tmp_path)
    with pytest.raises(ValueError, match=r'\[2, 1\]'):
        open_stream([frames[:2], frames[:1]])
    with pytest.raises(ValueError, match=r'\[\]'):
        open_stream([])
    with pytest.raises(TypeError, match='float'):
        open_stream(0.5)
    with pytest.raises(TypeError, match='int'):
        open_stream([1, 2])
    with pytest.raises(ValueError, match='float64'):
        list(open_stream([frames[0] / 255, frames[1]]).frames)
    with pytest.raises(ValueError, match=r'\(64, 96\) uint8'):
        list(open_stream([frames[0][..., 0]] * 2).frames)
    text = tmp_path / 'notes.txt'
    text.write_text('no video')
    with pytest.raises(BadSampleError, match='notes.txt'):
        open_stream(text)
