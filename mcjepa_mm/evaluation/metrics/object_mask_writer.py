"""Write predicted object masks in DAVIS-2017's format."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from mcjepa_mm.registry import METRICS
from mcjepa_mm.utils.image_file import pascal_palette, write_label_map
from mcjepa_mm.utils.video_writer import VideoWriter
from mcjepa_mm.visualization.object_overlay import draw_objects

from .sequence_metric import SequenceMetric


@METRICS.register_module()
class ObjectMaskWriter(SequenceMetric):
    """Write the masks of videos, and optionally overlay videos.

    - ``masks/<sequence>/<frame>.png``, of every frame, the first included:
      PNG whose pixels are the object numbers, with Pascal VOC's palette.
      ``masks`` is what the benchmark's evaluator takes as results, and its
      content what its server does; so nothing else is in there.
    - ``overlays/<sequence>.mp4``: the frames with the objects drawn over
      them. A frame is written as it comes, none is kept.

    Files of the same name are overwritten, each whole or not at all; others
    stay. Every process writes its own sequences: in a run over several
    machines ``out_dir`` has to be on a disk that they share. Reports
    ``files``, the number of masks.

    Args:
        out_dir (str): Folder; it is made if it does not exist.
        videos (bool): Whether to write the videos. Defaults to False.
        fps (float): Their frames in a second. Defaults to 24, as DAVIS.
        folder (str): What the folder of the masks is called: 'Annotations'
            for YouTube-VOS's server. Defaults to 'masks'.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`.
        prefix (str, optional): See :class:`mmengine.evaluator.BaseMetric`.
    """

    def __init__(
        self,
        out_dir: str,
        videos: bool = False,
        fps: float = 24.0,
        folder: str = 'masks',
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.out_dir = Path(out_dir)
        self.videos = videos
        self.fps = fps
        self.folder = folder
        self._open = ExitStack()

    def process_frame(self, sample: dict, data_batch: Any, i: int) -> None:
        """Write the mask of a frame.

        Args:
            sample (dict): See :meth:`process`; with ``frame_name`` (str),
                ``pred_objects``, ``data`` (1, H, W) uint8, and ``ori_shape``,
                the size that it must have.
            data_batch (Any): For videos, a dict with ``inputs``, the
                pictures, each (3, h, w) uint8, RGB.
            i (int): Which of them is the frame's.

        Raises:
            KeyError: If it lacks them.
            OSError: If a file cannot be written.
            ValueError: If the mask is of another size, sequence or frame have
                no name that a file may have, or there is no picture for a
                video.
        """
        hint = 'the data set has to tell it of each frame'
        size = self.require(sample, 'ori_shape', hint)
        frame = self.require(sample, 'frame_name', hint)
        name = sample['sequence']
        for what, given in (('sequence', name), ('frame', frame)):
            # a sequence may be in a folder; no name may lead out of out_dir
            parts = given.split('/') if what == 'sequence' else [given]
            if any(x in ('', '.', '..') or Path(x).name != x for x in parts):
                raise ValueError(
                    f'{self.where(sample)}: a {what} must be called what a '
                    f'file below {self.out_dir} can be, got {given!r}'
                )
        objects = self.objects_of(
            sample,
            'pred_objects',
            size,
            'the model has to give one for each frame',
        )
        path = self.out_dir / self.folder / name / f'{frame}.png'
        write_label_map(path, objects, pascal_palette())
        if self.videos:
            if not data_batch:
                raise ValueError(
                    f'{self.where(sample)}: ObjectMaskWriter draws over the '
                    'pictures of data_batch, and got none; give it them, or '
                    'set videos=False'
                )
            self._draw(sample, data_batch['inputs'][i], objects)
        if sample['frame_index'] == sample['num_frames'] - 1:
            files = sample['num_frames']
            self.results.append(dict(sequence=name, files=files))

    def compute_metrics(self, results: list[dict]) -> dict[str, int]:
        """Count the masks.

        Args:
            results (list[dict]): Name and number of files of each sequence;
                one that came twice, as samplers pad, counts once.

        Returns:
            dict[str, int]: ``files``.
        """
        files = {result['sequence']: result['files'] for result in results}
        return dict(files=sum(files.values()))

    def _draw(
        self, sample: dict, picture: Tensor, objects: np.ndarray
    ) -> None:
        """Add a frame to the sequence's video."""
        if sample['frame_index'] == 0:
            path = self.out_dir / 'overlays' / f'{sample["sequence"]}.mp4'
            path.parent.mkdir(parents=True, exist_ok=True)
            video = VideoWriter(path, self.fps)
            self._video = self._open.enter_context(video)
        frame = picture.cpu().numpy().transpose(1, 2, 0)
        frame = cv2.resize(frame, objects.shape[::-1])
        self._video.write(draw_objects(frame, objects))
        if sample['frame_index'] == sample['num_frames'] - 1:
            self._open.close()
