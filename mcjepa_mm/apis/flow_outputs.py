"""Writers for predicted flow: .flo, .png, color images and video."""

import math
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from mmengine.structures import BaseDataElement

from mcjepa_mm.datasets.flow_files import write_flow
from mcjepa_mm.utils.image_file import write_image
from mcjepa_mm.utils.video_writer import VideoWriter
from mcjepa_mm.visualization import flow_legend, flow_to_rgb
from mcjepa_mm.visualization.contact_sheet import beside

from .flow_inputs import Frame

FORMATS = ('flo', 'png', 'color', 'occ', 'video')
_FPS = 10.0  # of a video from frames that do not say theirs
_GAP = 4  # pixels between pictures


class ColorScale:
    """Temporally stable flow magnitude for full color saturation.

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

    def __enter__(self) -> 'FlowWriter':
        self.out_dir.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *error) -> None:
        self._video.__exit__(*error)

    def written(
        self, results: Iterable[tuple[Frame, BaseDataElement]]
    ) -> Iterator[tuple[Frame, BaseDataElement]]:
        """Write first frames and predictions, and pass them on."""
        with self:
            for frame, sample in results:
                self.write(frame, sample)
                yield frame, sample

    def write(self, frame: Frame, sample: BaseDataElement) -> None:
        """Write the flow that leaves a frame."""
        scale = self._scale(sample.pred_flow_fw.data.numpy(), frame.clip)
        for way, suffix in (('fw', ''), ('bw', '_bw')):
            if f'pred_flow_{way}' not in sample:
                continue
            flow = sample.get(f'pred_flow_{way}').data.numpy()
            png = f'{frame.name}.png'
            if 'flo' in self.save:
                folder = self.out_dir / f'flo{suffix}'
                write_flow(folder / f'{frame.name}.flo', flow)
            if 'png' in self.save:
                write_flow(self.out_dir / f'png{suffix}' / png, flow)
            if 'occ' in self.save:
                occluded = sample.get(f'pred_occ_{way}').data[0].numpy()
                grey = np.rint(255 * occluded.clip(0, 1)).astype(np.uint8)
                write_image(self.out_dir / f'occ{suffix}' / png, grey)
            colors = [flow_to_rgb(flow, scale), legend(flow, scale)]
            if 'color' in self.save:
                folder = self.out_dir / f'color{suffix}'
                write_image(folder / png, beside(*colors, gap=_GAP))
            if 'video' in self.save and way == 'fw':
                self._video.write(
                    beside(frame.image[..., ::-1], *colors, gap=_GAP)
                )


def legend(flow: np.ndarray, max_flow: float) -> np.ndarray:
    """The colour wheel, wide enough for its label, for flow (2, H, W)."""
    return flow_legend(max(110, flow.shape[1] // 4), max_flow)
