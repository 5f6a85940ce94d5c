"""Search folders for clips: videos and frame sequences."""

import errno
import glob
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mmengine.logging import print_log

from mcjepa_mm.datasets.image_integrity import image_header
from mcjepa_mm.datasets.packed_folder import is_packed, open_packed

IMAGE_SUFFIXES = '.bmp .gif .jpeg .jpg .pgm .png .ppm .tif .tiff .webp'
VIDEO_SUFFIXES = (
    '.3g2 .3gp .asf .avi .divx .dv .f4v .flv .ivf .m2t .m2ts .m2v .m4v .mkv '
    '.mod .mov .mp4 .mpeg .mpg .mts .mxf .ogm .ogv .qt .tod .ts .vob .webm '
    '.wmv .y4m'
)
_MAY_MOVE = '.gif .webp'


class Clip(NamedTuple):
    """Frames of one scene in temporal order.

    Attributes:
        path (str): The video, or the folder that the frames are in.
        frames (Mapping[int, str] | range): File name by frame number; of a
            video the numbers only.
    """

    path: str
    frames: Mapping[int, str] | range

    def firsts(self, gap: int) -> Sequence[int]:
        """First frames of the pairs that are ``gap`` apart."""
        if isinstance(self.frames, (range, Consecutive)):
            return range(len(self.frames) - gap)
        return tuple(n for n in self.frames if n + gap in self.frames)

    def files(self, numbers: Sequence[int]) -> list[str]:
        """Files of the frames: one each, or the video."""
        if isinstance(self.frames, range):
            return [self.path]
        return [os.path.join(self.path, self.frames[n]) for n in numbers]


class Consecutive(Mapping):
    """File names by their places in a sequence, which stays as it is."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def __getitem__(self, number: int) -> str:
        if number not in self:
            raise KeyError(number)
        return self.names[number]

    def __contains__(self, number: object) -> bool:
        return number in range(len(self))

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self.names)


def printable(path: str) -> str:
    r"""Format a path for messages; invalid UTF-8 becomes ``\xe9``."""
    return os.fsencode(path).decode(errors='backslashreplace')


def listing(paths: Sequence[str], most: int = 5) -> str:
    """Format the first paths in parentheses, for messages."""
    more = ', ...' * (len(paths) > most)
    return f'({", ".join(map(printable, paths[:most]))}{more})'


def warn(text: str) -> None:
    """Log a warning."""
    print_log(text, logger='current', level=logging.WARNING)


def name_unused(root: str, paths: Sequence[str], expected: str) -> None:
    """Log the files that a search leaves out."""
    if not paths:
        return
    suffixes = sorted({os.path.splitext(path)[1] for path in paths})
    print_log(
        f'Not used: {len(paths)} files of {printable(root)} that are no '
        f'{expected} ({printable(", ".join(suffixes))}): {listing(paths)}',
        logger='current',
    )


def is_still(path: str) -> bool:
    """Whether a file has an image's suffix and does not move."""
    return _has_suffix(path, IMAGE_SUFFIXES) and not (
        _has_suffix(path, _MAY_MOVE)
        and os.path.isfile(path)  # a pipe would be waited for
        and image_header(path, 'is_animated')
    )


def compile_frame_name(pattern: str) -> re.Pattern:
    """The regular expression of a frame's file name, checked.

    Raises:
        ValueError: If it is none, or has no group ``number``.
    """
    hint = (
        "a regular expression of the whole file name with the group 'number' "
        "and, where a folder holds several clips, 'clip', as in "
        r"'(?P<clip>\d+)_(?P<number>\d+)\.png'"
    )
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f'frame_name={pattern!r} is no regular expression ({error}); '
            f'expected {hint}'
        ) from error
    if 'number' not in compiled.groupindex:
        raise ValueError(
            f"frame_name={pattern!r} has no group 'number'; expected {hint}"
        )
    return compiled


def match_folders(root: str, patterns: Sequence[str]) -> list[str]:
    """Folders below ``root`` that match glob patterns, in natural order.

    Raises:
        FileNotFoundError: If a pattern matches none. One that is wrong, or a
            part that was not unpacked, would go unnoticed beside the others.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        names = glob.glob(pattern, root_dir=root)
        paths = [os.path.normpath(os.path.join(root, n)) for n in names]
        folders = [path for path in paths if os.path.isdir(path)]
        if not folders:
            raise FileNotFoundError(f'{root!r} has no folder {pattern!r}.')
        found |= dict.fromkeys(sorted(folders, key=natural_key))
    return list(found)


def walk(
    folder: str,
    recursive: bool,
    above: frozenset[str] = frozenset(),
    others: list[str] | None = None,
) -> Iterator[tuple[str, Sequence[str]]]:
    """Videos, (path, ()), and folders of images, (folder, names), in order.

    Links are followed, but not to a folder above; names that begin with a dot
    are left out. What is neither file nor folder, such as a link to nothing
    or a pipe, is named in a warning. An image that moves is a video. Of a
    packed folder come what was packed, and videos with their frames' names.

    Args:
        folder (str): Where to begin.
        recursive (bool): Whether to look into the folders inside. One that
            may not be read is named in a warning and left out.
        above (frozenset[str]): Real paths of the folders that it is in.
        others (list[str], optional): Files of other suffixes are added to it.

    Raises:
        OSError: If ``folder`` cannot be read.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    if is_packed(folder):
        yield from open_packed(folder).walk(recursive)
        return
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(
                (e for e in scanned if not e.name.startswith('.')),
                key=lambda entry: natural_key(entry.name),
            )
    except PermissionError:
        entries = None
    if entries is None and not above:
        raise PermissionError(
            errno.EACCES, 'this user may not read the folder', folder
        )
    if entries is None:
        warn(f'Not used: {printable(folder)} may not be read by this user')
        return
    # not entry.is_file(): it raises where links end in a circle
    names = [entry.name for entry in entries if os.path.isfile(entry.path)]
    stills = {n for n in names if is_still(os.path.join(folder, n))}
    folders = [entry.path for entry in entries if os.path.isdir(entry.path)]
    known = {*folders, *(os.path.join(folder, name) for name in names)}
    strange = [entry.path for entry in entries if entry.path not in known]
    if strange:
        warn(
            f'Not used: {len(strange)} entries of {printable(folder)} that '
            'are neither file nor folder, such as links to nothing and pipes, '
            f'or that this user may not see: {listing(strange)}'
        )
    if stills:
        yield folder, tuple(n for n in names if n in stills)
    for name in names:
        if name in stills:
            continue
        path = os.path.join(folder, name)
        if _has_suffix(name, f'{IMAGE_SUFFIXES} {VIDEO_SUFFIXES}'):
            yield path, ()
        elif others is not None:
            others.append(path)
    for inner in folders * recursive:
        yield from walk(inner, recursive, above | {real}, others)


def is_video(names: Sequence[str]) -> bool:
    """Whether the names are what :func:`walk` finds of a video."""
    return getattr(names, 'is_video', not names)


def find_images(folder: str, *, recursive: bool) -> list[str]:
    """Paths of the still images in a folder, in natural order.

    The other files are named in the log.
    """
    images: list[str] = []
    others: list[str] = []
    for path, names in walk(folder, recursive, others=others):
        if is_video(names):  # or an animation
            others.append(path)
        else:
            images += [os.path.join(path, name) for name in names]
    name_unused(folder, others, 'images')
    return images


def split_folder(
    folder: str, names: Sequence[str], frame_name: re.Pattern
) -> list[Clip]:
    """The clips of a folder whose file names say clip and frame number.

    Raises:
        ValueError: If a number is none, or if two frames of a clip have the
            same.
    """
    clips: dict[str, dict[int, str]] = {}
    for name in names:
        match = frame_name.fullmatch(name)
        if not match:
            continue
        groups = match.groupdict()
        frames = clips.setdefault(groups.get('clip') or '', {})
        path = os.path.join(folder, name)
        try:
            number = int(groups['number'])
        except (TypeError, ValueError):
            raise ValueError(
                f'{path}: frame_name={frame_name.pattern!r} finds the frame '
                f'number {groups["number"]!r}; expected digits'
            ) from None
        if number in frames:
            raise ValueError(
                f'{path} and {frames[number]} are both frame {number} of one '
                f'clip by frame_name={frame_name.pattern!r}; remove one, or '
                "tell them apart by the group 'clip'"
            )
        frames[number] = name
    return [
        Clip(folder, dict(sorted(frames.items()))) for frames in clips.values()
    ]


def natural_key(name: str) -> tuple:
    """Sort key that compares numbers in a name by value: f2 before f10."""
    parts = re.split(r'(\d+)', name.lower())  # text and numbers in turn
    keys = [int(p) if i % 2 else p for i, p in enumerate(parts)]
    # a part of its own: beside a number of a longer name it would not compare
    return keys, name


def _has_suffix(name: str, suffixes: str) -> bool:
    return os.path.splitext(name)[1].lower() in suffixes.split()
