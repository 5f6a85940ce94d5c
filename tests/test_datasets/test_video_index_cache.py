"""What was found in videos, from one process to the next."""

import json

import numpy as np
import pytest
from mmengine.logging import MMLogger

from mcjepa_mm.datasets import FramePairs, frame_pairs
from mcjepa_mm.datasets import video_decoding as decoding
from mcjepa_mm.datasets import video_index_cache as index_cache
from mcjepa_mm.datasets.video_decoding import index_video


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Function that empties this process's memory and lists the entries."""
    monkeypatch.setenv('MCJEPA_CACHE', str(tmp_path / 'cache'))

    def entries():
        decoding._index_video.cache_clear()
        index_cache._warn.cache_clear()
        root = tmp_path / 'cache'
        return sorted(path for path in root.rglob('*') if path.is_file())

    return entries


@pytest.fixture
def video(tmp_path, write_video):
    return write_video(tmp_path / 'data' / 'a.mp4', 9, codec='mp4v')


@pytest.fixture
def reads(monkeypatch):
    """Videos that are read in full."""
    found, read = [], decoding._read_index
    monkeypatch.setattr(
        decoding, '_read_index', lambda path: found.append(path) or read(path)
    )
    return found


@pytest.fixture
def messages(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield lambda: [x.getMessage() for x in caplog.records]
    logger.removeHandler(caplog.handler)


def test_a_video_is_read_once(video, cache, reads):
    first = index_video(str(video))
    assert len(cache()) == 1 and [*video.parent.iterdir()] == [video]
    second = index_video(str(video))
    assert reads == [str(video)]
    for a, b in zip(first, second, strict=True):
        assert type(a) is type(b)
        assert (a == b).all() if hasattr(a, 'all') else a == b


def test_an_index_without_places_to_seek(video, cache):
    # joined programme streams, of which packets tell no frame
    none = np.zeros(0, np.int64)
    found = index_video(str(video))._replace(
        packets=None, keys=none, seeks=none, landings={}, fps=None
    )
    again = decoding._from_json(
        json.loads(json.dumps(decoding._to_json(found)))
    )
    assert again.packets is None and again.keys.shape == (0,)
    assert again[4:] == found[4:]


@pytest.mark.parametrize('damage', ['cut', 'bit', 'empty', 'other'])
def test_a_damaged_entry_is_made_anew(video, cache, reads, damage):
    expected = index_video(str(video)).count
    (entry,) = cache()
    content = entry.read_bytes()
    if damage == 'other':  # whole, but of another video
        index_cache.save_entry(str(video), 1, 1, dict(count=3))
    else:
        kept = dict(cut=content[:-3], empty=b'')
        flipped = content[:50] + bytes([content[50] ^ 1]) + content[51:]
        entry.write_bytes(kept.get(damage, flipped))
    assert index_video(str(video)).count == expected and len(reads) == 2
    (entry,) = cache()
    assert entry.read_bytes() == content


def test_a_cache_that_cannot_be_written_is_told_once(
    tmp_path, video, cache, write_video, messages
):
    write_video(video.with_name('b.mp4'), 5, codec='mp4v')
    (tmp_path / 'cache').write_text('no folder')
    assert len(FramePairs(str(video.parent))) == 8 + 4
    (told,) = [x for x in messages() if 'MCJEPA_CACHE' in x]
    assert 'Not a directory' in told and str(tmp_path / 'cache') in told


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv('MCJEPA_CACHE')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert index_cache.cache_folder() == tmp_path / 'mcjepa_mm'


def test_a_long_listing_tells_how_far_it_is(
    video, write_image, messages, monkeypatch
):
    write_image(video.parent / 'c' / '1.png', 1)
    write_image(video.parent / 'c' / '2.png', 2)
    monkeypatch.setattr(frame_pairs, '_PATIENCE', -1)
    FramePairs(str(video.parent))
    lines = [x for x in messages() if x.startswith('Finding the frames')]
    assert lines[0].endswith('data: 1 of 1 videos')
