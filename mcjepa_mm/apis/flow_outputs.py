"""What is written of predicted flow: numbers, pictures and a video."""

import math
import os
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from mmengine.structures import BaseDataElement

from mcjepa_mm.datasets.flow_files import write_flow
from mcjepa_mm.utils.image_file import write_image
from mcjepa_mm.utils.video_writer import VideoWriter
from mcjepa_mm.visualization import flow_legend, flow_to_rgb

from .flow_inputs import Frame

FORMATS = ('flo', 'png', 'color', 'occ', 'video')
_FPS = 10.0  # of a video from frames that do not say theirs
_GAP = 4  # pixels between pictures


class ColorScale:
    """The length of flow that is drawn in full colour.

    A scale of each picture's own flickers, and one for a whole sequence is
    known only after it. So it is a round number of pixels, 1, 1.5, 2, 3, 4,
    6, 8, 10, 15 ..., that follows the last 30 pairs of a clip: it grows when
    they need it, and shrinks when they need less than half, so it is never
    more than twice what is needed, or pictures would be pale. What a pair
    needs is the 99th percentile of its lengths: noise at the border does not
    count, and an object of a hundredth of the picture does. The tenth of the
    pairs that needs most does not count either, because a cut between scenes
    is wild flow. The legend tells the scale.

    Args:
        max_flow (float, optional): Pixels, to fix it. Defaults to None.
    """

    def __init__(self, max_flow: float | None = None) -> None:
        if max_flow is not None and not max_flow > 0:
            raise ValueError(f'max_flow must be above 0 px, got {max_flow}')
        self._fixed = max_flow
        self._scale = 0.0
        self._clip: int | None = None
        self._lengths: deque[float] = deque(maxlen=30)

    def __call__(self, flow: np.ndarray, clip: int) -> float:
        """The scale of the next flow (2, H, W) of a clip, in pixels."""
        if self._fixed is not None:
            return self._fixed
        if clip != self._clip:
            self._clip, self._scale = clip, 0.0
            self._lengths.clear()
        self._lengths.append(float(np.percentile(np.hypot(*flow), 99)))
        needed = float(np.percentile(self._lengths, 90, method='lower'))
        if not 0 < self._scale / 2 <= max(1, needed) <= self._scale:
            self._scale = round_up(needed)
        return self._scale


def round_up(length: float) -> float:
    """The next of 1, 1.5, 2, 3, ... 10, 15, ...; below 1 stays pale."""
    power = 10.0 ** math.floor(math.log10(max(1.0, length)))
    steps = (1, 1.5, 2, 3, 4, 6, 8, 10)
    return next(x * power for x in steps if length <= x * power)


class FlowWriter:
    """A context that writes each prediction as it comes.

    ========= ==========================================================
    ``flo``   the flow in Middlebury's format
    ``png``   the flow in KITTI's format, rounded to 1/64 pixel
    ``color`` the flow in colours, and their legend
    ``occ``   what is occluded, white, as predicted (if bidirectional)
    ``video`` frame, flow in colours, legend: one video of a sequence
    ========= ==========================================================

    Each format but the video has a folder of its name in ``out_dir``, and a
    second one that ends in ``_bw`` if the way back is predicted too. Files
    are named after the first frame of the pair.

    Args:
        out_dir (str | PathLike): Folder to write; made if needed.
        save (Sequence[str]): Which formats.
        title (str): The video's name, without its suffix.
        max_flow (float, optional): See :class:`ColorScale`.
        fps (float, optional): Of the video. Defaults to None: 10.

    Raises:
        ValueError: For unknown formats; for 'occ' without occlusions.
    """

    def __init__(
        self,
        out_dir: str | os.PathLike,
        save: Sequence[str],
        *,
        title: str = 'flow',
        max_flow: float | None = None,
        fps: float | None = None,
    ) -> None:
        unknown = set(save) - set(FORMATS)
        if isinstance(save, str) or unknown or not save:
            raise ValueError(
                f'save must be a list of some of {FORMATS}, got {save!r}'
            )
        self.out_dir = Path(out_dir)
        self.save = tuple(save)
        self._scale = ColorScale(max_flow)
        self._video = VideoWriter(self.out_dir / f'{title}.mp4', fps or _FPS)
        self._stack = ExitStack()

    def __enter__(self) -> 'FlowWriter':
        self.out_dir.mkdir(parents=True, exist_ok=True)
        self._stack.enter_context(self._video)
        return self

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)

    def write(self, frame: Frame, sample: BaseDataElement) -> None:
        """Write the flow that leaves a frame.

        Args:
            frame (Frame): The first frame.
            sample (FlowDataSample): With ``pred_flow_fw``, and maybe
                ``pred_flow_bw`` and ``pred_occ_*``.
        """
        flow = sample.pred_flow_fw.data.numpy()
        scale = self._scale(flow, frame.clip)
        self._write_direction(frame.name, '', flow, scale)
        if 'pred_flow_bw' in sample:
            back = sample.pred_flow_bw.data.numpy()
            self._write_direction(frame.name, '_bw', back, scale)
        if 'occ' in self.save:
            for way, suffix in (('fw', ''), ('bw', '_bw')):
                occluded = sample.get(f'pred_occ_{way}').data[0].numpy()
                grey = np.rint(255 * occluded.clip(0, 1)).astype(np.uint8)
                write_image(self._path('occ', suffix, frame.name), grey)
        if 'video' in self.save:
            picture = frame.image[..., ::-1]
            self._video.write(
                beside(picture, flow_to_rgb(flow, scale), legend(flow, scale))
            )

    def _write_direction(
        self, name: str, suffix: str, flow: np.ndarray, scale: float
    ) -> None:
        if 'flo' in self.save:
            write_flow(self._path('flo', suffix, name, '.flo'), flow)
        if 'png' in self.save:
            write_flow(self._path('png', suffix, name), flow)
        if 'color' in self.save:
            write_image(
                self._path('color', suffix, name),
                beside(flow_to_rgb(flow, scale), legend(flow, scale)),
            )

    def _path(
        self, kind: str, suffix: str, name: str, ending: str = '.png'
    ) -> Path:
        folder = self.out_dir / f'{kind}{suffix}'
        folder.mkdir(exist_ok=True)
        return folder / f'{name}{ending}'


def legend(flow: np.ndarray, max_flow: float) -> np.ndarray:
    """The colour wheel, wide enough for its label, for flow (2, H, W)."""
    return flow_legend(max(110, flow.shape[1] // 4), max_flow)


def beside(*pictures: np.ndarray) -> np.ndarray:
    """Pictures (H, W, 3) uint8, on white, from left to right."""
    height = max(len(picture) for picture in pictures)
    padded = [
        np.pad(
            picture,
            ((0, height - len(picture)), (0, _GAP), (0, 0)),
            constant_values=255,
        )
        for picture in pictures
    ]
    return np.concatenate(padded, axis=1)[:, :-_GAP]
