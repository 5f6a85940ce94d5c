"""Pair videos with first-frame masks in a folder."""

import itertools
import os
from collections import defaultdict
from pathlib import Path

from mcjepa_mm.datasets.clips import listing, natural_key, walk

MASK_SUFFIXES = '.bmp .pgm .png .tif .tiff'
"""Of the formats of images those that keep labels. Programs that write GIF
number a palette anew."""

EXPECTED = (
    'Expected videos, or folders of frames, each with a mask of its first '
    f'frame beside it that has its name ({MASK_SUFFIXES}): dog.mp4 and '
    'dog.png, or dog/00000.jpg ... and dog.png.'
)


def find_masked_videos(root: str) -> dict[str, tuple[str, str]]:
    """Find videos and folders of frames with a mask beside them.

    A mask has the name of its video. A video and a picture that are alone
    with each other in a folder are a pair with any names.

    Returns:
        dict[str, tuple[str, str]]: Video, or folder of frames, and mask by
        the video's path below ``root`` without suffix, in natural order.

    Raises:
        FileNotFoundError: If ``root`` is no folder, or a video has no mask.
        ValueError: If there is no video, or it is not certain which mask or
            which video is meant.
    """
    if not os.path.isdir(root):
        raise FileNotFoundError(f'{root} is no folder. {EXPECTED}')
    pictures: dict[Path, list[Path]] = {}
    clips: dict[Path, list[Path]] = defaultdict(list)
    for path, names in walk(root, recursive=True):
        if names:
            pictures[Path(path)] = [Path(path, name) for name in names]
        else:
            clips[Path(path).parent].append(Path(path))

    pairs: dict[Path, Path] = {}
    folders = {*clips, *pictures, *(path.parent for path in pictures)}
    # Deeper folders first: pictures beside videos are masks, and no frames.
    for folder in sorted(folders, key=lambda path: -len(path.parts)):
        images = pictures.get(folder, [])
        pairs |= _pair(clips[folder], images)
        if images and not clips[folder] and folder != Path(root):
            clips[folder.parent].append(folder)
    every = sorted(itertools.chain(*clips.values()), key=_order)
    if not every:
        raise ValueError(f'{root} holds no video. {EXPECTED}')
    alone = [str(clip) for clip in every if clip not in pairs]
    if alone:
        raise FileNotFoundError(
            f'{len(alone)} of {len(every)} videos in {root} have no mask: '
            f'{listing(alone)}. {EXPECTED}'
        )
    return {
        (clip.parent / _stem(clip)).relative_to(root).as_posix(): (
            str(clip),
            str(pairs[clip]),
        )
        for clip in every
    }


def _pair(clips: list[Path], images: list[Path]) -> dict[Path, Path]:
    """Match the clips of one folder with masks."""
    masks = [x for x in images if x.suffix.lower() in MASK_SUFFIXES.split()]
    if len(clips) == len(masks) == 1:
        return {clips[0]: masks[0]}
    pairs: dict[Path, Path] = {}
    for mask in masks:
        for clip in clips:
            if _stem(clip) != mask.stem:
                continue
            if clip in pairs or mask in pairs.values():
                raise ValueError(
                    f'{mask} and {clip} have the name of another mask or '
                    'video beside them; expected one mask for a video: '
                    'rename or remove the other'
                )
            pairs[clip] = mask
    return pairs


def _stem(clip: Path) -> str:
    return clip.name if clip.is_dir() else clip.stem


def _order(clip: Path) -> tuple[list, str]:
    return natural_key(str(clip))
