import pickle
import struct

import av
import numpy as np
import pytest

from mcjepa_mm.datasets import BadSampleError
from mcjepa_mm.datasets.video_file import VideoCache, VideoFile


@pytest.mark.parametrize(
    'name, codec', [('a.avi', 'XVID'), ('a.mp4', 'mp4v'), ('a.avi', 'MJPG')]
)
def test_random_access_equals_reading_in_order(
    tmp_path, write_video, name, codec, number
):
    path = str(write_video(tmp_path / name, 25, codec=codec))
    with av.open(path) as container:
        frames = [x.to_ndarray(format='rgb24') for x in container.decode()]
    video = VideoFile(path)
    assert video.size == (72, 96) and video.count() == 25
    # Forwards, backwards, near, far, the same again.
    order = [0, 1, 3, 24, 2, 2, 23, 5, *np.random.permutation(25)]
    for index in order:
        np.testing.assert_array_equal(video.read(index), frames[index])
        assert number(video.read(index)) == index


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
        match=rf'cut.avi: frame {count} cannot .* after {count}',
    ) as error:
        video.read(count)
    assert error.value.filename == path
    # The failure leaves the reader usable.
    assert number(video.read(1)) == 1


def test_no_video_is_named(tmp_path):
    path = tmp_path / 'empty.mp4'
    path.touch()
    with pytest.raises(BadSampleError, match='empty.mp4 cannot be opened'):
        VideoFile(str(path))


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_a_picture_is_no_video(tmp_path, write_image, suffix):
    path = write_image(tmp_path / f'a{suffix}', 1).rename(tmp_path / 'a.mp4')
    with pytest.raises(BadSampleError, match='a.mp4 cannot .* is a picture'):
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
    first = cache[paths[0]]
    assert cache[paths[0]] is first
    for path in paths:
        cache[path].read(1)
        assert len(cache) <= 2
    assert cache[paths[0]] is not first
    copy = pickle.loads(pickle.dumps(cache))
    assert len(copy) == 0 and copy.max_open == 2
