"""Videos of many kinds: what they show decides, not what their header says."""

import os
import shutil

import av
import numpy as np
import pytest
from av.stream import Disposition

from mcjepa_mm.datasets import BadSampleError, FramePairs
from mcjepa_mm.datasets.video_decoding import (
    NoDecoderError,
    index_video,
    open_video,
)
from mcjepa_mm.datasets.video_file import VideoFile

FRAMES = 24
X264 = dict(g='8', bf='2', sc_threshold='0')
MPEG = dict(g='8', bf='2')
FINE = dict(g='8', qmin='2', qmax='2')
# name, encoder, options of the encoder, options of the container
KINDS = [
    ('closed.mp4', 'libx264', X264, {}),
    ('open.ts', 'libx264', {**X264, 'x264-params': 'open-gop=1'}, {}),
    ('open.mkv', 'libx264', {**X264, 'x264-params': 'open-gop=1'}, {}),
    ('interlaced.mp4', 'libx264', {**X264, 'flags': '+ildct+ilme'}, {}),
    ('interlaced.MTS', 'libx264', {**X264, 'x264-params': 'tff=1'}, {}),
    ('interlaced.mpg', 'mpeg2video', {**MPEG, 'flags': '+ildct+ilme'}, {}),
    ('frames.avi', 'libx264', X264, {}),
    ('frames.flv', 'libx264', X264, {}),
    ('raw.h264', 'libx264', X264, {}),
    ('live.webm', 'libvpx', dict(g='8', deadline='realtime'), dict(live='1')),
    ('hidden.mkv', 'libvpx', {'g': '12', 'auto-alt-ref': '1'}, {}),
    ('live.mkv', 'libx264', X264, dict(live='1')),
    ('frames.webm', 'libvpx-vp9', dict(g='8', deadline='realtime'), {}),
    ('one.mpg', 'mpeg1video', MPEG, {}),
    ('two.vob', 'mpeg2video', MPEG, {}),
    ('two.m2ts', 'mpeg2video', MPEG, {}),
    ('four.avi', 'mpeg4', MPEG, {}),
    ('four.3gp', 'mpeg4', MPEG, {}),
    ('fragments.mov', 'libx264', X264, dict(movflags='frag_keyframe')),
    ('windows.wmv', 'wmv2', dict(g='8'), {}),
    ('animation.gif', 'gif', {}, {}),
    ('animation.apng', 'apng', {}, {}),
]


@pytest.fixture
def encode(picture):
    """Function that writes pictures with an encoder of PyAV's."""

    def write(
        path, codec, options=None, container=None, frames=FRAMES, times=None,
        begin=0, rate=25, seconds_of_sound=0,
    ):  # fmt: skip
        if codec not in av.codecs_available:
            pytest.skip(f'this PyAV has no {codec}')
        with av.open(str(path), 'w', options=container or {}) as out:
            stream = out.add_stream(codec, rate=rate, options=options or {})
            stream.width, stream.height = 96, 72
            formats = dict(gif='rgb8', apng='rgb24')
            stream.pix_fmt = formats.get(codec, 'yuv420p')
            sound = seconds_of_sound and out.add_stream('mp2', rate=16000)
            for number in range(frames):
                image = picture(begin + number)
                frame = av.VideoFrame.from_ndarray(image, format='rgb24')
                frame.pts = times[number] if times else number
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
            for second in range(seconds_of_sound):
                silence = np.zeros((1, 16000), np.int16)
                frame = av.AudioFrame.from_ndarray(silence, layout='mono')
                frame.sample_rate, frame.pts = 16000, second * 16000
                out.mux(sound.encode(frame))
            if sound:
                out.mux(sound.encode(None))
        return path

    return write


def check(path, numbers, number, passes=2):
    """Frames in order and by number are those, also far from each other."""
    video = VideoFile(str(path))
    frames = list(video.frames())
    assert [number(frame) for frame in frames] == list(numbers)
    assert video.count() == len(frames)
    order = np.random.default_rng(0).permutation(len(frames))
    for index in [*order, *order[::-1]]:
        np.testing.assert_array_equal(video.read(index), frames[index])
    return video


@pytest.mark.parametrize('name, codec, options, container', KINDS)
def test_any_frame_is_the_one_of_decoding_in_order(
    tmp_path, encode, number, name, codec, options, container
):
    path = encode(tmp_path / name, codec, options, container)
    # a number is told to about a tenth; GIF's few colours are no measure
    numbers = range(FRAMES)
    if codec == 'gif':
        number = iter([*numbers]).__next__
        check(path, numbers, lambda _: number())
        return
    video = check(path, numbers, number)
    assert video.fps == pytest.approx(25, rel=0.01)
    assert video.size == (72, 96) and video.missing == 0


@pytest.mark.parametrize('name', ['a.mkv', 'a.mp4', 'a.ts'])
def test_longer_sound_adds_no_frames(tmp_path, encode, number, name):
    path = encode(tmp_path / name, 'libx264', X264, seconds_of_sound=3)
    assert check(path, range(FRAMES), number).fps == 25
    assert len(FramePairs(str(tmp_path))) == FRAMES - 1


@pytest.mark.parametrize(
    'name, main, taken',
    [('a.ts', (), 0), ('a.mkv', (1,), 1), ('a.mp4', (0, 1), 0)],
)
def test_of_two_videos_the_first_or_main_one(
    tmp_path, picture, number, name, main, taken
):
    """FFmpeg would take the second of the MP4, which has more bits."""
    path = tmp_path / name
    with av.open(str(path), 'w') as out:
        streams = [
            out.add_stream('mpeg4', 25, dict(qmin=q, qmax=q)) for q in '21'
        ]
        for index, stream in enumerate(streams):
            stream.width, stream.height = 96, 72
            if index in main:
                stream.disposition = Disposition.default
        for index, stream in enumerate(streams):
            for time in range(12):
                image = picture(12 * index + time)
                frame = av.VideoFrame.from_ndarray(image, format='rgb24')
                frame.pts = time
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    check(path, range(12 * taken, 12 * taken + 12), number)


@pytest.mark.parametrize('name', ['a.mkv', 'a.mp4', 'a.ts'])
def test_variable_rate(tmp_path, encode, number, name):
    times = list(np.cumsum([1, 3, 1, 7, 2, 2] * 4).tolist())
    path = encode(tmp_path / name, 'libx264', X264, times=times)
    video = check(path, range(FRAMES), number)
    seconds = (times[-1] - times[0]) / 25
    assert video.fps == pytest.approx((FRAMES - 1) / seconds, rel=0.01)


def test_frames_of_an_avi_that_are_shown_longer_are_not_missing(
    tmp_path, encode, number
):
    times = [3 * i for i in range(FRAMES)]
    path = encode(tmp_path / 'a.avi', 'mpeg4', FINE, times=times)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames > FRAMES
    assert check(path, range(FRAMES), number).missing == 0


@pytest.mark.parametrize('name, codec', [('a.flv', 'flv'), ('a.avi', 'mjpeg')])
def test_part_of_a_picture_is_no_frame(tmp_path, encode, number, name, codec):
    path = encode(tmp_path / name, codec, {**FINE, 'strict': 'unofficial'})
    content = path.read_bytes()
    # an AVI's index stands behind the pictures
    end = content.find(b'idx1') if b'idx1' in content else len(content)
    path.write_bytes(content[: end - 100])
    check(path, range(FRAMES - 1), number)


@pytest.mark.parametrize(
    'name, codec, options',
    [
        ('one.mpg', 'mpeg1video', MPEG),
        ('two.ts', 'mpeg2video', MPEG),
        ('h264.ts', 'libx264', X264),
    ],
)
def test_joined_files(tmp_path, encode, number, name, codec, options):
    # both begin at the same time, and their time stamps at 0
    parts = [
        encode(tmp_path / f'{i}{name}', codec, options, begin=i, frames=12)
        for i in (0, 12)
    ]
    path = tmp_path / name
    path.write_bytes(b''.join(part.read_bytes() for part in parts))
    check(path, range(24), number)


@pytest.mark.parametrize('begin', [3, 11, 17])
def test_cut_without_encoding_anew(tmp_path, encode, number, begin):
    # what is before the cut stays in an MP4, and its edit list hides it
    source = encode(tmp_path / 'a.mp4', 'libx264', X264)
    path = tmp_path / 'cut.mp4'
    with av.open(str(source)) as old, av.open(str(path), 'w') as new:
        [stream] = old.streams.video
        copy = new.add_stream_from_template(stream)
        first = begin // 8 * 8
        tick = int(1 / (25 * stream.time_base))
        old.seek(first * tick, stream=stream)
        for packet in old.demux(stream):
            if packet.dts is None:
                continue
            packet.pts -= begin * tick
            packet.dts -= begin * tick
            packet.stream = copy
            new.mux(packet)
    with av.open(str(path)) as container:
        hidden = [p.is_discard for p in container.demux(video=0)]
    assert any(hidden) or begin % 8 == 0
    check(path, range(begin, FRAMES), number)


@pytest.mark.parametrize('leading', ['radl=2:open-gop=0', 'open-gop=1'])
def test_frames_that_are_shown_before_the_first_key_frame(
    tmp_path, encode, number, leading
):
    keys = 'keyint=8:min-keyint=8:bframes=3:b-adapt=0:scenecut=0'
    options = {'x265-params': f'{keys}:{leading}:log-level=none'}
    source = encode(tmp_path / 'a.mkv', 'libx265', options)
    path = tmp_path / 'cut.mkv'
    with av.open(str(source)) as old, av.open(str(path), 'w') as new:
        [stream] = old.streams.video
        copy = new.add_stream_from_template(stream)
        key_frames = 0
        for packet in old.demux(stream):
            key_frames += packet.is_keyframe
            if packet.dts is not None and key_frames > 1:
                packet.stream = copy
                new.mux(packet)
    count = VideoFile(str(path)).count()
    # RADL pictures can be decoded without what is before, RASL cannot
    assert (count > FRAMES - 8) == ('radl' in leading)
    check(path, range(FRAMES - count, FRAMES), number)


@pytest.mark.parametrize('share', [0.2, 0.4, 0.6])
def test_a_recording_that_begins_between_key_frames(
    tmp_path, encode, number, share
):
    path = encode(tmp_path / 'a.ts', 'libx264', X264)
    content = path.read_bytes()
    path.write_bytes(content[int(share * len(content)) // 188 * 188 :])
    count = VideoFile(str(path)).count()
    assert 0 < count < FRAMES
    check(path, range(FRAMES - count, FRAMES), number)


def test_names_that_ffmpeg_would_take_apart(
    tmp_path, encode, number, monkeypatch
):
    path = encode(tmp_path / 'a.mp4', 'mpeg4')
    monkeypatch.chdir(tmp_path)
    odd = ['14:05:33.mp4', 'a%03d.mp4', 'pipe:0.mp4', os.fsdecode(b'\xe9.mp4')]
    for name in odd:
        shutil.copy(path, name)
        assert number(VideoFile(name).read(7)) == 7
    assert len(FramePairs('.')) == (len(odd) + 1) * (FRAMES - 1)


def test_a_name_that_is_not_utf8_can_be_printed(tmp_path):
    path = os.fsencode(tmp_path) + b'/caf\xe9.mp4'
    with open(path, 'wb') as file:
        file.write(b'no video')
    with pytest.raises(BadSampleError, match=r'caf\\xe9.mp4') as error:
        VideoFile(os.fsdecode(path))
    assert error.value.filename == os.fsdecode(path)


def test_a_codec_that_nothing_decodes(tmp_path, encode):
    whole = encode(tmp_path / 'a.avi', 'mpeg4')
    content = whole.read_bytes()
    for i in range(12):
        odd = content.replace(b'FMP4', b'Zz9%x' % i)
        (tmp_path / f'odd{i}.avi').write_bytes(odd)
    with pytest.raises(NoDecoderError, match='odd3.avi'):
        open_video(str(tmp_path / 'odd3.avi'))
    dataset = FramePairs(str(tmp_path))
    assert len(dataset) == FRAMES - 1 and not dataset.broken_files
    assert len(dataset.undecodable_files) == 12
    whole.unlink()
    with pytest.raises(ValueError, match='12'):
        FramePairs(str(tmp_path))


def test_frames_that_were_never_filled_are_refused(tmp_path, encode):
    path = encode(tmp_path / 'a.mp4', 'mpeg4', dict(g='8'))
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        spans = [(p.pos, p.size) for p in packets]
    content = bytearray(path.read_bytes())
    position, size = spans[8]  # a key frame
    content[position : position + size] = bytes(size)
    path.write_bytes(content)
    video = VideoFile(str(path))
    assert video.count() == FRAMES
    with pytest.raises(BadSampleError, match='a.mp4.* 8 '):
        video.read(8)
    for index in (7, 16, 23):
        video.read(index)


def test_the_index_follows_the_file(tmp_path, encode):
    path = encode(tmp_path / 'a.mp4', 'mpeg4')
    assert index_video(str(path)) is index_video(str(path))
    encode(path, 'mpeg4', frames=5)
    assert index_video(str(path)).count == 5
