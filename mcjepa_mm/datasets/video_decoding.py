"""Video decoding and frame indexing with PyAV."""

import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition

from mcjepa_mm.datasets.bad_samples import BadSampleError, check_regular
from mcjepa_mm.datasets.clips import printable
from mcjepa_mm.datasets.video_index_cache import load_entry, save_entry

_TIMED = {'asf', 'flv', 'gif', 'matroska,webm', 'mov,mp4,m4a,3gp,3g2,mj2'}
"""Containers that store when each frame is shown."""

_NO_VIDEOS = {'concat', 'dash', 'hls', 'image2', 'tty'}
"""Formats that FFmpeg reads as videos: lists of other files, and text."""

_DISPOSABLE = {'h264', 'mpeg1video', 'mpeg2video', 'mpeg4'}
"""Codecs that say of which frames no other is made. HEVC's mark leaves out
frames of higher temporal layers."""

# Metadata of old files are in any encoding; PyAV 19 takes them as they are.
_ANY_METADATA = (
    {}
    if int(av.__version__.split('.')[0]) > 18
    else {'metadata_errors': 'ignore'}
)

_CONVERT = "convert it, as with 'ffmpeg -i OLD -c:v libx264 NEW.mp4'"


class NoDecoderError(BadSampleError):
    """A video whose codec cannot be decoded here."""


class VideoIndex(NamedTuple):
    """Index of a video's frames in display order.

    Packets are numbered from 0 in the order of the file, which is that of
    decoding.

    Attributes:
        packets (np.ndarray, optional): (count,) int64, the packet of each
            frame. None if frames and packets are not one to one.
        count (int): Number of frames.
        keys (np.ndarray): (K,) int64, ascending: frames at which decoding
            can begin.
        seeks (np.ndarray): (K,) int64, the time stamps to seek for them.
        landings (dict[int, int]): Packets at which decoding can begin, by
            what :func:`landing` tells of them.
        size (tuple[int, int]): Height and width in pixels.
        fps (float, optional): Frames in a second on average.
        missing (int): Frames that the header promises, if the file ends before
            them.
    """

    packets: np.ndarray | None
    count: int  # type: ignore[assignment]
    keys: np.ndarray
    seeks: np.ndarray
    landings: dict[int, int]
    size: tuple[int, int]
    fps: float | None
    missing: int

    @property
    def is_plain(self) -> bool:
        """Whether each packet is a frame that is shown.

        Not where fields have packets of their own, where a part is hidden, or
        where the beginning cannot be shown.
        """
        packets = self.packets
        return packets is not None and int(packets.max()) + 1 == self.count

    def number(self, packet: int, expected: int | None) -> int | None:
        """The frame of a packet, which is probably ``expected``.

        Where packets do not tell, it is taken to be that one.
        """
        if self.packets is None:
            return expected
        if (
            expected is not None
            and expected < self.count
            and self.packets[expected] == packet
        ):
            return expected
        found = np.flatnonzero(self.packets == packet)
        return int(found[0]) if len(found) else None


class _Packet(NamedTuple):
    pts: int | None
    dts: int | None
    landing: int | None  # of a key frame's
    is_shown: bool


def open_video(path: str, threads: int = 1) -> InputContainer:
    """Open a video for decoding.

    Args:
        path (str): The file.
        threads (int): Of the decoder; 0 for as many as there are cores.

    Raises:
        BadSampleError: If it is no video.
        NoDecoderError: If nothing here decodes its codec.
    """
    name = printable(path)
    try:
        # Without the protocol, 14:05.mp4 would be one called 14.
        container = av.open(f'file:{path}', **_ANY_METADATA)
    except av.FFmpegError as error:
        raise BadSampleError(
            f'{name} cannot be opened as a video: it is truncated, empty, a '
            f'picture or of an unknown format ({error.strerror})',
            path,
        ) from error
    kind = container.format.name
    has_video = len(container.streams.video) > 0
    if kind in _NO_VIDEOS or kind.endswith('_pipe') or not has_video:
        container.close()
        raise BadSampleError(
            f'{name} cannot be opened as a video: it is a picture, or holds '
            f'no video (its format is {kind})',
            path,
        )
    stream = video_stream(container)
    if stream.codec_context is None:
        container.close()
        raise NoDecoderError(
            f'{name}: nothing here decodes its codec; {_CONVERT}', path
        )
    if stream.disposition & Disposition.attached_pic:
        container.close()
        raise BadSampleError(
            f'{name} holds no video, only a picture of its cover', path
        )
    stream.codec_context.thread_count = threads
    if threads != 1:
        stream.codec_context.thread_type = 'AUTO'
    return container


def video_stream(container: InputContainer) -> av.VideoStream:
    """The stream that is decoded: the first of those that are marked as main.

    FFmpeg's own choice is the one of the most bits.
    """

    def rank(stream: av.VideoStream) -> tuple[bool, bool]:
        marks = stream.disposition
        return (
            not marks & Disposition.attached_pic,
            Disposition.default in marks,
        )

    return max(container.streams.video, key=rank)


def decode(
    container: InputContainer,
    landings: dict[int, int] | None = None,
    is_passed: Callable[[int], bool] | None = None,
) -> Iterator[av.VideoFrame]:
    """Decode frames from the current position, in display order.

    A damaged packet gives no frame, and ends nothing. Frames of which the
    decoder says that they are not whole are left out.

    Args:
        container (InputContainer): See :func:`open_video`.
        landings (dict[int, int], optional): After a seek, see
            :class:`VideoIndex`: decoding begins at the first of these.
        is_passed (Callable, optional): Of a packet's number: whether nobody
            asks for its frame. Such frames may be left out, where none of
            the others is made from them.

    Yields:
        VideoFrame: Its ``pts`` is not a time but the number of its packet.
        Times are missing in some files, and in others they depend on where
        decoding began.
    """
    stream = video_stream(container)
    if stream.codec_context.name not in _DISPOSABLE:
        is_passed = None
    number = 0 if landings is None else None
    for packet in _packets(container):
        if number is None and landings and packet.is_keyframe:
            place = landing(container, packet)
            number = None if place is None else landings.get(place)
        if number is None:
            continue
        if is_passed is not None:
            skip = 'NONREF' if is_passed(number) else 'DEFAULT'
            stream.codec_context.skip_frame = skip
        packet.pts = packet.dts = number
        number += 1
        yield from _shown(stream, packet)
    yield from _shown(stream, None)


def landing(container: InputContainer, packet: av.Packet) -> int | None:
    """Identifier of a packet after a seek: a time stamp or a checksum."""
    kind = container.format.name
    if kind == 'apng':
        return None  # all are marked as key frames, also mere changes
    if kind == 'avi':
        return packet.dts  # times of display are guessed
    return packet.pts if kind in _TIMED else zlib.crc32(memoryview(packet))


def picture(frame: av.VideoFrame) -> np.ndarray:
    """Convert a frame to an upright image: (H, W, 3) uint8, RGB."""
    # threads of it would not survive a fork
    image = frame.to_ndarray(format='rgb24', threads=1)
    turns = round(frame.rotation / 90)
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def index_video(path: str) -> VideoIndex:
    """Index the frames of a video, with a cache on disk.

    The whole file is read the first time. Where its container stores the
    times of display, packets are counted, and only the first frame is decoded;
    else all are. See :mod:`~mcjepa_mm.datasets.video_index_cache`.

    Raises:
        BadSampleError: If it cannot be decoded, or has no frame.
    """
    path = os.path.abspath(path)
    check_regular(path)
    try:
        state = os.stat(path)
    except OSError as error:
        raise BadSampleError(
            f'{printable(path)} cannot be opened: {error.strerror}', path
        ) from error
    return _index_video(path, state.st_size, state.st_mtime_ns)


@cache
def _index_video(path: str, size: int, changed: int) -> VideoIndex:
    stored = load_entry(path, size, changed)
    if stored is not None:
        return _from_json(stored)
    index = _read_index(path)
    save_entry(path, size, changed, _to_json(index))
    return index


def _read_index(path: str) -> VideoIndex:
    with open_video(path) as container:
        packets = _list_packets(container)
    with open_video(path) as container:
        stream = video_stream(container)
        frames = decode(container)
        first = next(frames, None)
        if first is None:
            raise BadSampleError(
                f'{printable(path)}: no frame of its {len(packets)} packets '
                f'can be decoded (codec {stream.codec_context.name}); it is '
                f'damaged, or {_CONVERT}',
                path,
            )
        shape = picture(first).shape[:2]
        order = _order_of_packets(container, packets, first)
        if order is None:
            order = [first.pts, *(frame.pts for frame in frames)]
        times = [packets[i].pts for i in order]
        fps = _average_rate(stream, times)
        kind = container.format.name
        promised = stream.frames
        if kind == 'avi' and packets[-1].dts is not None:
            # a frame that is shown longer has places without data behind it
            promised -= packets[-1].dts + 1 - len(packets)
        missing = 0
        # a header that was never filled in has more frames than bytes
        if container.size >= promised > len(packets):
            hidden = sum(not packet.is_shown for packet in packets)
            missing = promised - hidden - len(order)
    keys, landings = [], {}
    is_known = len(set(order)) == len(order)
    if is_known:
        number = {packet: i for i, packet in enumerate(order)}
        marks = Counter(packet.landing for packet in packets)
        for i, packet in enumerate(packets):
            # equal packets are no landmark
            if packet.landing is None or marks[packet.landing] > 1:
                continue
            time = _seek_time(kind, packet)
            if i in number and time is not None:
                landings[packet.landing] = i
                keys.append((number[i], time))
    numbers, seeks = np.array(sorted(keys), np.int64).reshape(-1, 2).T
    return VideoIndex(
        np.array(order, np.int64) if is_known else None,
        len(order),
        numbers,
        seeks,
        landings,
        shape,
        fps,
        missing,
    )


def _to_json(index: VideoIndex) -> dict:
    arrays = ('packets', 'keys', 'seeks')
    values = index._asdict()
    for name in arrays:
        if values[name] is not None:
            values[name] = values[name].tolist()
    return values | dict(landings=[*index.landings.items()])


def _from_json(values: dict) -> VideoIndex:
    arrays = {
        name: np.array(values[name], np.int64)
        for name in ('packets', 'keys', 'seeks')
        if values[name] is not None
    }
    others = dict(
        landings=dict(values['landings']), size=tuple(values['size'])
    )
    return VideoIndex(**{**values, **arrays, **others})


def _packets(container: InputContainer) -> Iterator[av.Packet]:
    """Packets with data, up to the end or to where the file is cut."""
    kind = container.format.name
    packets = container.demux(video_stream(container))
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        # A packet in which the file ends: part of a picture, the rest of which
        # would be made up. Streams have damaged ones anywhere, and go on.
        is_part = packet.is_corrupt and not kind.startswith('mpeg')
        if packet.size and not is_part:
            yield packet


def _shown(
    stream: av.VideoStream, packet: av.Packet | None
) -> list[av.VideoFrame]:
    try:
        frames = stream.codec_context.decode(packet)
    except av.FFmpegError:
        # The frame is missing then, and whoever asks for it is told.
        return []
    return [frame for frame in frames if not frame.is_corrupt]


def _list_packets(container: InputContainer) -> list[_Packet]:
    is_vp8 = video_stream(container).codec_context.name in ('vp8', 'libvpx')
    return [
        _Packet(
            packet.pts,
            packet.dts,
            landing(container, packet) if packet.is_keyframe else None,
            # what was cut off at the start of an MP4 is only decoded
            not packet.is_discard
            # RFC 6386, 9.1: the bit says whether to show it
            and (not is_vp8 or bool(memoryview(packet)[0] & 0x10)),
        )
        for packet in _packets(container)
    ]


def _order_of_packets(
    container: InputContainer,
    packets: Sequence[_Packet],
    first: av.VideoFrame,
) -> list[int] | None:
    """Packets in display order, if their time stamps define it."""
    kind = container.format.name
    # Broadcasts and cameras put each field of a frame into a packet.
    if kind not in _TIMED and (kind != 'mpegts' or first.interlaced_frame):
        return None
    shown = [(i, p.pts) for i, p in enumerate(packets) if p.is_shown]
    times = {i: pts for i, pts in shown if pts is not None}
    decoding = [p.dts for p in packets if p.dts is not None]
    if len(times) < len(shown) or first.pts not in times:
        return None
    if len({*times.values()}) < len(times) or decoding != sorted(decoding):
        return None
    # What is shown before the first key frame, or, of a recording that begins
    # between two, before the first frame, needs one that is not in the file.
    # Where the codec marks such frames, the decoder leaves them out itself.
    codec = video_stream(container).codec_context.name
    begins_whole = packets[0].landing is not None and packets[0].is_shown
    begins_whole = begins_whole and codec not in ('hevc', 'vvc')
    begin = times[0 if begins_whole else first.pts]
    return sorted(
        (i for i in times if times[i] >= begin), key=times.__getitem__
    )


def _seek_time(kind: str, packet: _Packet) -> int | None:
    """Time stamp that the container's index uses: pts or dts."""
    if kind.startswith(('matroska', 'mov')) or packet.dts is None:
        return packet.pts
    return packet.dts


def _average_rate(
    stream: av.VideoStream, times: Sequence[int | None]
) -> float | None:
    """Frame rate; the header's only if the time stamps agree."""
    rate = stream.average_rate or stream.guessed_rate
    header = float(rate) if rate else None
    known = [time for time in times if time is not None]
    if (
        len(times) < 2
        or len(known) < len(times)
        or any(a >= b for a, b in pairwise(known))
    ):
        return header  # of an AVI, or of streams that were joined
    seconds = float((known[-1] - known[0]) * stream.time_base)
    measured = (len(times) - 1) / seconds
    if header and abs(header - measured) < 0.01 * measured:
        return header  # times are rounded, to milliseconds for one
    return measured
