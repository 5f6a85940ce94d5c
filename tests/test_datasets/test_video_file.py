import gc
import os
import pickle
import struct
import weakref

import av
import numpy as np
import pytest

from mcjepa_mm.datasets import BadSampleError
from mcjepa_mm.datasets.video_decoding import (
    decode,
    index_video,
    open_video,
)
from mcjepa_mm.datasets.video_file import VideoCache, VideoFile


def test_truncated_video_ends_where_it_is_cut(
    tmp_path, write_video, truncate, number
):
    path = str(truncate(write_video(tmp_path / 'cut.avi', 25)))
    video = VideoFile(path)
    count = video.count()
    assert 3 < count < 25 == count + video.missing
    assert number(video.read(count - 1)) == count - 1
    with pytest.raises(
        BadSampleError,
        match=f'cut.avi.* {count} ',
    ) as error:
        video.read(count)
    assert error.value.filename == path
    # The failure leaves the reader usable.
    assert number(video.read(1)) == 1


def test_no_video_is_named(tmp_path):
    path = tmp_path / 'empty.mp4'
    path.touch()
    with pytest.raises(BadSampleError, match='empty.mp4'):
        VideoFile(str(path))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'a.mp4')
    with pytest.raises(BadSampleError, match='a.mp4'):
        VideoFile(str(tmp_path / 'a.mp4'))


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_a_picture_is_no_video(tmp_path, write_image, suffix):
    path = write_image(tmp_path / f'a{suffix}', 1).rename(tmp_path / 'a.mp4')
    with pytest.raises(BadSampleError, match='a.mp4.*picture'):
        VideoFile(str(path))


@pytest.mark.parametrize('count', [1, 20, 2**30])
def test_a_header_is_not_believed(tmp_path, write_video, count):
    path = write_video(tmp_path / 'a.avi', 9)
    content = path.read_bytes()
    number = content.index(b'strh') + 8 + 32
    damaged = content[:number] + struct.pack('<I', count)
    path.write_bytes(damaged + content[number + 4 :])
    video = VideoFile(str(path))
    assert video.count() == 9 == len(list(video.frames()))


def test_cache_bounds_open_videos_and_travels_empty(tmp_path, write_video):
    paths = [str(write_video(tmp_path / f'{i}.avi', 2)) for i in range(4)]
    cache = VideoCache(max_open=2)
    first = cache.at(paths[0], 0)
    assert cache.at(paths[0], 1) is first
    for path in paths:
        cache.at(path, 1).read(1)
        assert len(cache) <= 2
    assert cache.at(paths[0], 0) is not first
    copy = pickle.loads(pickle.dumps(cache))
    assert len(copy) == 0 and copy.max_open == 2


def test_places_of_one_video_are_read_on_in_turns(
    tmp_path, write_video, number, monkeypatch
):
    path = str(write_video(tmp_path / 'a.mp4', 25, codec='mp4v'))
    cache = VideoCache(max_open=2)
    for index in (3, 15):
        assert number(cache.at(path, index).read(index)) == index
    monkeypatch.setattr(VideoFile, '_seek', None)
    monkeypatch.setattr(VideoFile, '_restart', None)
    for index in (4, 16, 6, 19, 7, 20):
        assert number(cache.at(path, index).read(index)) == index


def test_frames_of_which_no_other_is_made_are_passed_over(tmp_path, picture):
    path = str(tmp_path / 'a.mp4')
    with av.open(path, 'w') as out:
        stream = out.add_stream('mpeg4', rate=25, options=dict(bf='2', g='99'))
        stream.width, stream.height, stream.pix_fmt = 96, 72, 'yuv420p'
        for i in range(25):
            frame = av.VideoFrame.from_ndarray(picture(i), format='rgb24')
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    video = VideoFile(path)
    expected = list(video.frames())
    for first in (0, 13, 1, 22, 23):
        np.testing.assert_array_equal(video.read(first), expected[first])
    with open_video(path) as container:
        packets = index_video(path).packets
        frames = decode(container, is_passed=lambda n: n in packets[:20])
        shown = [frame.pts for frame in frames]
    assert set(packets[20:]) <= set(shown) and len(shown) < 15


def test_a_file_is_closed_where_it_is_let_go(tmp_path, write_video):
    """Not by the garbage collector, which may run in a forked process."""
    video = VideoFile(str(write_video(tmp_path / 'a.mp4', 8, codec='mp4v')))
    video.read(5)
    closed = weakref.ref(video)
    gc.disable()
    try:
        del video
        assert closed() is None
    finally:
        gc.enable()
