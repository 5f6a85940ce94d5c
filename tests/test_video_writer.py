import cv2
import numpy as np
import pytest

from mcjepa_mm.video_writer import VideoWriter


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
    with pytest.raises(OSError, match='cannot write a video of 96 x 64'):
        with VideoWriter(tmp_path / 'none' / 'a.mp4', 10) as video:
            video.write(picture(64, 96))
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_cut_is_refused(tmp_path):
    path = tmp_path / 'a.mp4'
    with pytest.raises(OSError, match='2 frames were written and 0 can'):
        with VideoWriter(path, 10) as video:
            video.write(picture(64, 96))
            video.write(picture(64, 96))
            # as on a full disk
            video._writer.release()
            video._part.write_bytes(b'')
    assert not list(tmp_path.iterdir())
