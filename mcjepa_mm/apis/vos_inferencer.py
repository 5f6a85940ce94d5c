"""Video object segmentation by label propagation."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from rich.progress import track
from torch import Tensor

from mcjepa_mm.datasets.bad_samples import BadSampleError
from mcjepa_mm.datasets.clips import is_still, warn
from mcjepa_mm.datasets.transforms.video_frames import (
    LoadObjectMask,
    LoadVideoFrame,
    PackVideoFrame,
    ResizeShortSide,
)
from mcjepa_mm.datasets.video_decoding import index_video
from mcjepa_mm.datasets.video_segmentation import MaskedVideos
from mcjepa_mm.engine.inherited_scope import read_config
from mcjepa_mm.models.propagation import (
    LabelPropagation,
    Whitening,
    write_whitening,
)
from mcjepa_mm.utils.image_file import pascal_palette, write_label_map
from mcjepa_mm.utils.video_writer import VideoWriter
from mcjepa_mm.visualization.object_overlay import draw_objects

from .model_files import find_config
from .vos_model import get_propagation_model

_FPS = 24.0  # of frames that do not say theirs, as DAVIS


class VOSFrame(NamedTuple):
    """A frame and the objects in it.

    Attributes:
        name (str): What files about it are called, without a suffix.
        image (np.ndarray): (H, W, 3) uint8, RGB.
        objects (np.ndarray): (H, W) uint8, object numbers, 0 background.
    """

    name: str
    image: np.ndarray
    objects: np.ndarray


class VOSInferencer:
    """Propagate first-frame masks by feature similarity.

    Args:
        checkpoint (str | PathLike, optional): See
            :func:`~mcjepa_mm.apis.vos_model.get_propagation_model`.
        config (str | PathLike | Config, optional): Config with a
            ``LabelPropagation``, a file or the name of one of this package.
            Defaults to None: the model is made around the checkpoint's
            encoder.
        short_side (int, optional): Pixels that the shorter side of frames is
            resized to before they are encoded. Defaults to None: as the
            config's test has it, else 480.
        device (str | torch.device, optional): Defaults to None: the GPU if
            there is one.
        **options: ``levels``, ``stride``, ``whiten``, ``shrinkage``,
            ``propagator`` and ``dtype`` of ``get_propagation_model``.

    Raises:
        FileNotFoundError: If there is no such config or checkpoint.
        ValueError: If they do not go together, or for an option that is out
            of range.

    Example::

        follower = VOSInferencer('work/epoch_8.pth')
        for frame in follower('dog.mp4', 'dog.png'):
            print(frame.name, frame.objects.max())
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike | None = None,
        config: str | os.PathLike | Config | None = None,
        *,
        short_side: int | None = None,
        device: str | torch.device | None = None,
        **options,
    ) -> None:
        if config is not None and not isinstance(config, Config):
            config = read_config(find_config(config))
        resize = _resize_of(config)
        if short_side is not None:
            resize['short_side'] = short_side
        self._prepare = Compose([ResizeShortSide(**resize), PackVideoFrame()])
        self.model = get_propagation_model(checkpoint, config, **options)
        self.model.to(device or get_device())

    def __call__(
        self, video: str | os.PathLike, mask: str | os.PathLike
    ) -> Iterator[VOSFrame]:
        """Follow the objects of a mask, frame by frame.

        Returns:
            Iterator[VOSFrame]: Every frame in order, the first one with
            the given mask. Frames are read as they are asked for.

        Raises:
            BadSampleError, FileNotFoundError, ValueError: See
                :func:`open_masked_video`; while frames are taken, if one is
                damaged or of another size.
        """
        return self.follow(open_masked_video(video, mask))

    def follow(self, frames: MaskedVideos) -> Iterator[VOSFrame]:
        """The same of a video that is open already."""
        for index in range(len(frames)):
            try:
                results = frames[index]
            except BadSampleError as error:
                if not index or 'video_frame' not in frames.get_data_info(
                    index
                ):
                    raise
                # What a broken recording still has is worth having.
                warn(str(error))
                return
            image = np.ascontiguousarray(results['img'][..., ::-1])
            data = pseudo_collate([self._prepare(results)])
            (sample,) = self.model.test_step(data)
            objects = sample.pred_objects.data[0].cpu().numpy()
            yield VOSFrame(sample.frame_name, image, objects)

    def fit_whitening(
        self,
        images: Iterable[str | os.PathLike],
        path: str | os.PathLike | None = None,
    ) -> None:
        """Whiten features by the statistics of images from now on.

        Args:
            images (Iterable[str | PathLike]): Pictures, of the kind that the
                encoder was trained on and none of those that results are
                reported of. They are resized as frames are.
            path (str | PathLike, optional): File for the statistics, '.pth',
                which ``whiten`` takes. Defaults to None: not written.

        Raises:
            BadSampleError, FileNotFoundError: If a picture cannot be read.
            OSError: If the file cannot be written.
            ValueError: If there are no pictures.
        """
        resize = self._prepare.transforms[0]
        found = fit_whitening(self.model, images, resize)
        if path is not None:
            write_whitening(path, found)


def fit_whitening(
    model: LabelPropagation,
    images: Iterable[str | os.PathLike],
    resize: ResizeShortSide,
) -> list[Whitening]:
    """Let a model whiten features by the statistics of pictures.

    Returns:
        list[Whitening]: Of each level.

    Raises:
        BadSampleError, FileNotFoundError, ValueError: See
            :meth:`VOSInferencer.fit_whitening`.
    """
    load = LoadVideoFrame()

    def batches() -> Iterator[Tensor]:
        for image in images:
            results = resize(load(dict(img_path=os.fspath(image))))
            rgb = np.ascontiguousarray(results['img'][..., ::-1])
            inputs = torch.from_numpy(rgb).permute(2, 0, 1)
            yield model.data_preprocessor(dict(inputs=[inputs]))['inputs'][0]

    return model.fit_whitening(batches())


def propagate_masks(
    video: str | os.PathLike,
    mask: str | os.PathLike,
    out_dir: str | os.PathLike,
    checkpoint: str | os.PathLike | None = None,
    config: str | os.PathLike | Config | None = None,
    *,
    opacity: float = 0.5,
    fps: float | None = None,
    max_frames: int | None = None,
    show_progress: bool = False,
    **options,
) -> list[Path]:
    """Follow objects, and write their masks and a video with them.

    ``masks/VIDEO/FRAME.png`` are of every frame, in the form that DAVIS has
    its results; ``overlays/VIDEO.mp4`` is the video with the objects drawn
    over it. A frame is written as it comes; memory does not grow with the
    video.

    Args:
        video (str | PathLike): See :func:`open_masked_video`.
        mask (str | PathLike): See :func:`open_masked_video`.
        out_dir (str | PathLike): Folder to write to; made if needed. Files
            that exist are replaced.
        checkpoint (str | PathLike, optional): See :class:`VOSInferencer`.
        config (str | PathLike | Config, optional): See
            :class:`VOSInferencer`.
        opacity (float): Of the colours over the frames, 0 to 1.
        fps (float, optional): Frames in a second of the video that is
            written. Defaults to None: as the source has it, else 24.
        max_frames (int, optional): Stop after so many.
        show_progress (bool): Whether to draw a progress bar.
        **options: See :class:`VOSInferencer`.

    Returns:
        list[Path]: The masks.

    Raises:
        BadSampleError, FileNotFoundError, ValueError: See
            :func:`open_masked_video` and :class:`VOSInferencer`: nothing is
            written. If a later frame is damaged, the masks before it stay.
        OSError: If a file cannot be written.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f'opacity must be from 0 to 1, got {opacity}')
    for name, value in dict(fps=fps, max_frames=max_frames).items():
        if value is not None and not value > 0:
            raise ValueError(f'{name} must be positive, got {value}')
    frames = open_masked_video(video, mask)
    entry = frames.get_data_info(0)
    if fps is None and 'video_frame' in entry:
        fps = index_video(entry['img_path']).fps
    follower = VOSInferencer(checkpoint, config, **options)
    count = min(len(frames), max_frames or len(frames))
    name = entry['sequence']
    masks, overlays = Path(out_dir, 'masks', name), Path(out_dir, 'overlays')
    overlays.mkdir(parents=True, exist_ok=True)
    written = []
    followed: Iterable = islice(follower.follow(frames), count)
    if show_progress:
        followed = track(followed, 'Objects', total=count)
    with VideoWriter(overlays / f'{name}.mp4', fps or _FPS) as writer:
        for frame in followed:
            written.append(masks / f'{frame.name}.png')
            write_label_map(written[-1], frame.objects, pascal_palette())
            writer.write(draw_objects(frame.image, frame.objects, opacity))
    return written


def open_masked_video(
    video: str | os.PathLike, mask: str | os.PathLike
) -> MaskedVideos:
    """Open a video, and read the mask of its first frame.

    Raises:
        BadSampleError: If the video cannot be opened, the first frame or the
            mask cannot be read, the mask has another size than the frame, no
            object, or numbers that are no object's.
        FileNotFoundError: If the video, the mask or a frame of a folder is
            missing.
        ValueError: If the video is a picture, or the mask is in the folder
            of the frames.
    """
    path = Path(os.path.abspath(os.path.expanduser(video)))
    first = Path(os.path.abspath(os.path.expanduser(mask)))
    if path.is_file() and is_still(os.fspath(path)):
        raise ValueError(
            f'{video} is a picture; expected a video or a folder of frames'
        )
    if first.parent == path:
        raise ValueError(
            f'{mask} is in the folder of the frames, and would be taken for '
            'one: put it elsewhere'
        )
    name = path.name if path.is_dir() else path.stem
    return MaskedVideos(
        videos={name: (os.fspath(video), os.fspath(mask))},
        pipeline=[LoadVideoFrame(), LoadObjectMask()],
    )


def _resize_of(config: Config | None) -> dict[str, Any]:
    """Arguments of the resizing in the config's test, if there is any."""
    dataset = ((config or {}).get('test_dataloader') or {}).get('dataset')
    for transform in (dataset or {}).get('pipeline') or ():
        settings = dict(transform)
        kind = str(settings.pop('type')).rpartition('.')[2]
        if kind == ResizeShortSide.__name__:
            return settings
    return {}
