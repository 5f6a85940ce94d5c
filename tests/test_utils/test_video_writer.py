import resource

import cv2
import numpy as np
import pytest

from mcjepa_mm.utils.video_writer import VideoWriter


def picture(height, width):
    return np.full((height, width, 3), (200, 100, 50), np.uint8)


@pytest.mark.parametrize('size', [(64, 96), (65, 97)])
def test_what_is_written_can_be_read(tmp_path, size):
    path = tmp_path / 'a.mp4'
    with VideoWriter(path, 29.97) as video:
        for _ in range(4):
            video.write(picture(*size))
        assert not path.exists()
    assert [x.name for x in tmp_path.iterdir()] == ['a.mp4']
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(29.97)
    good, read = capture.read()
    height, width = size
    # an odd side is made even, nothing is cut off
    assert good and read.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(read[..., ::-1] - picture(1, 1).astype(float)).max() < 12


def test_nothing_written_leaves_nothing(tmp_path):
    with VideoWriter(tmp_path / 'a.mp4', 10):
        pass
    assert not list(tmp_path.iterdir())


def test_a_context_that_does_not_end_leaves_nothing(tmp_path):
    video = VideoWriter(tmp_path / 'a.mp4', 10).__enter__()
    video.write(picture(64, 96))
    assert len(list(tmp_path.iterdir())) == 1
    del video
    assert not list(tmp_path.iterdir())


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match=r'\(64, 96, 3\), this one is \(64'):
        with VideoWriter(tmp_path / 'a.mp4', 10) as video:
            video.write(picture(64, 96))
            video.write(picture(64, 98))
    with pytest.raises(OSError, match='cannot write .* of 96 x 64'):
        with VideoWriter(tmp_path / 'none' / 'a.mp4', 10) as video:
            video.write(picture(64, 96))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing(tmp_path):
    # a limit of the file's size is the same to the writer
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    try:
        with pytest.raises(OSError, match='a.mp4: cannot write .* too large'):
            with VideoWriter(tmp_path / 'a.mp4', 10) as video:
                for _ in range(30):
                    video.write(noise := noise[::-1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'fps', [66.6667, 119.997, 196.263, 90000, 0.5, 30000 / 1001]
)
def test_any_rate_is_kept(tmp_path, fps):
    # the name is one that FFmpeg takes for a protocol
    path = tmp_path / '14:05:33.mp4'
    with VideoWriter(path, fps) as video:
        for _ in range(5):
            video.write(picture(64, 96))
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(fps, rel=1e-4)
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 5


def test_long_names(tmp_path):
    path = tmp_path / ('é' * 125 + 'a.mp4')  # 255 bytes
    with VideoWriter(path, 10) as video:
        video.write(picture(64, 96))
    assert [*tmp_path.iterdir()] == [path]
    longer = tmp_path / ('é' * 126 + '.mp4')
    with pytest.raises(ValueError, match='more than 255 bytes'):
        with VideoWriter(longer, 10) as video:
            video.write(picture(64, 96))
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    'size, written',
    [
        ((64, 9000), (58, 8190)),
        ((9001, 66), (8190, 60)),
        ((2, 8191), (2, 8190)),
    ],
)
def test_too_large_pictures_are_scaled_down(tmp_path, size, written):
    path = tmp_path / 'a.mp4'
    with VideoWriter(path, 10) as video:
        video.write(picture(*size))
    good, read = cv2.VideoCapture(str(path)).read()
    assert good and read.shape == (*written, 3)
    assert np.abs(read[..., ::-1] - picture(1, 1).astype(float)).max() < 12


@pytest.mark.parametrize('fps', [0, -1, float('nan'), float('inf')])
def test_no_rate_is_refused_at_once(tmp_path, fps):
    with pytest.raises(ValueError, match='fps must be from 0.001'):
        VideoWriter(tmp_path / 'a.mp4', fps)
