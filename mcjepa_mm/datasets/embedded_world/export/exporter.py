import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import flow, labels
from .scene_set import SceneSet


@dataclass(frozen=True)
class Layout:
    """File layout of a data set.

    Attributes:
        write (callable): Writes the scenes of a :class:`SceneSet` below a
            folder that exists and is empty: ``write(root, scene_set)``.
        num_frames (int): Frames of a scene, unless the user wants others.
        fixed (bool): Whether the data set always has this many.
        fewest (int): Frames that a scene must have: 2 where pairs are read,
            3 where the first and the last do not count.
    """

    write: Callable[[Path, SceneSet], None]
    num_frames: int
    fixed: bool = False
    fewest: int = 2


LAYOUTS = dict(
    flyingchairs=Layout(flow.flyingchairs, 2, fixed=True),
    flyingthings3d=Layout(flow.flyingthings3d, 10),
    sintel=Layout(flow.sintel, 10),
    kitti2012=Layout(flow.kitti2012, 2, fixed=True),
    kitti2015=Layout(flow.kitti2015, 2, fixed=True),
    kitti2012_multiview=Layout(flow.kitti2012, 21, fixed=True),
    kitti2015_multiview=Layout(flow.kitti2015, 21, fixed=True),
    kitti_raw=Layout(flow.kitti_raw, 10),
    hd1k=Layout(flow.hd1k, 10),
    voc2012_aug=Layout(labels.voc2012_aug, 1, fewest=1),
    ade20k=Layout(labels.ade20k, 1, fewest=1),
    cityscapes=Layout(labels.cityscapes, 1, fewest=1),
    davis2017=Layout(labels.davis2017, 12, fewest=3),
    imagenet=Layout(labels.imagenet, 1, fixed=True, fewest=1),
)


def export(
    layout: str,
    out_dir: str | os.PathLike,
    *,
    num_scenes: int = 8,
    num_frames: int | None = None,
    size: tuple[int, int] = (128, 192),
    seed: int = 0,
    **world,
) -> None:
    """Write scenes of the embedded world in a data set's layout.

    The files appear in ``out_dir`` all at once, when they are complete.

    Args:
        layout (str): One of ``LAYOUTS``.
        out_dir (str | PathLike): Folder that is empty or does not exist.
        num_scenes (int): Scenes of each split that the data set has.
        num_frames (int, optional): Frames of a scene. Defaults to the
            layout's own number, which some layouts fix.
        size (tuple[int, int]): Height and width in pixels.
        seed (int): Seed of the world.
        **world: Further arguments of
            :class:`~mcjepa_mm.datasets.embedded_world.EmbeddedWorld`.

    Raises:
        FileExistsError: If ``out_dir`` is a file or is not empty.
        ValueError: For an unknown layout, a number of frames that it cannot
            have, or as the embedded world does.
    """
    if layout not in LAYOUTS:
        raise ValueError(
            f'no layout {layout!r}; there are {", ".join(LAYOUTS)}'
        )
    chosen = LAYOUTS[layout]
    if chosen.fixed and num_frames not in (None, chosen.num_frames):
        raise ValueError(
            f'a scene of {layout} has {chosen.num_frames} frames, so '
            f'num_frames={num_frames} is not possible; leave it out'
        )
    frames = chosen.num_frames if num_frames is None else num_frames
    if frames < chosen.fewest:
        raise ValueError(
            f'num_frames must be at least {chosen.fewest}, the fewest that a '
            f'scene of {layout} can have, got {frames}'
        )
    scene_set = SceneSet(num_scenes, frames, (size[0], size[1]), seed, world)

    out = Path(out_dir).expanduser().absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f'{out} exists and is not an empty folder; name another one'
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f'.{out.name}.{os.getpid()}.part')
    try:
        part.mkdir()
        chosen.write(part, scene_set)
        os.replace(part, out)
    except BaseException:  # also when the user interrupts
        shutil.rmtree(part, ignore_errors=True)
        raise
