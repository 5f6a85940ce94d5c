"""Optical flow inference on pairs, folders, videos and cameras."""

import os
from collections.abc import Iterable, Iterator, Sequence

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from rich.progress import track

from mcjepa_mm.datasets.clips import IMAGE_SUFFIXES, VIDEO_SUFFIXES

from .flow_inputs import Picture, open_stream
from .flow_model import get_flow_model
from .flow_outputs import FlowWriter
from .flow_sequence import estimate_flow

_FRAMES = (*IMAGE_SUFFIXES.split(), *VIDEO_SUFFIXES.split())


class FlowInferencer:
    """Optical flow inference with :class:`~mcjepa_mm.models.MCJEPAFlow`.

    It is called as mmpretrain's inferencers are, and takes

    - two frames, or more of them that follow each other: a list of paths or
      of (H, W, 3) uint8 arrays, **BGR** as OpenCV and mmpretrain have them;
    - a list of pairs, each such a list;
    - a folder of frames, in natural order (``f2.png`` before ``f10.png``);
    - a video file;
    - the number of a camera (int), which never ends: see ``max_frames``.

    In a sequence every frame is encoded once, though it belongs to two pairs.

    mmengine's ``BaseInferencer`` is not the base: it keeps all predictions
    until the last one is made, its batches know nothing of each other, so
    that every frame would be encoded twice, and it takes no built model.

    Args:
        model (str | PathLike | Config | BaseModel): A checkpoint of a
            training, or the name of weights that come with this package,
            'micro'; a config file, the name of one of this package, a config
            or a built model. Of a pretraining the motion half is used.
        pretrained (str | PathLike, optional): Checkpoint, of the estimator or
            of the pretraining, or a name of weights. Defaults to None.
        device (str | torch.device, optional): Defaults to None: the GPU if
            there is one; a built model stays where it is.
        scale (float, optional): Frames are scaled by it before they are
            encoded, flow is in pixels of the frames in any case: below 1 it
            is faster and reaches further. Defaults to None: the model's.

    Example::

        inferencer = FlowInferencer('micro')
        inferencer = FlowInferencer('work/config.py', 'work/epoch_30.pth')
        (sample,) = inferencer(['a.png', 'b.png'])
        sample.pred_flow_fw.data  # (2, H, W), pixels, x then y
        for sample in inferencer.iterate('walk.mp4', batch_size=8):
            print(sample.frame_name, sample.pred_flow_fw.data.mean())
    """

    def __init__(
        self,
        model: str | os.PathLike | Config | BaseModel,
        pretrained: str | os.PathLike | None = None,
        device: str | torch.device | None = None,
        *,
        scale: float | None = None,
    ) -> None:
        if isinstance(model, (str, os.PathLike)) and (
            os.path.splitext(model)[1].lower() in _FRAMES
        ):
            raise ValueError(
                f'{os.fspath(model)} is an image or a video; expected a '
                'config. Frames come afterwards: FlowInferencer(config, '
                'checkpoint)([first, second])'
            )
        self.model = get_flow_model(model, pretrained, device)
        if scale is not None:
            if not scale > 0:
                raise ValueError(f'scale must be above 0, got {scale}')
            self.model.scale = scale

    def __call__(
        self,
        inputs: int | Picture | Sequence,
        batch_size: int = 1,
        show_progress: bool = True,
        **kwargs,
    ) -> list[BaseDataElement]:
        """Predict everything; :meth:`iterate` keeps less in memory.

        Returns:
            list[FlowDataSample]: One for each pair, also if it is one.
        """
        kwargs |= dict(batch_size=batch_size, show_progress=show_progress)
        return list(self.iterate(inputs, **kwargs))

    def iterate(
        self,
        inputs: int | Picture | Sequence,
        *,
        batch_size: int = 1,
        bidirectional: bool | None = None,
        max_frames: int | None = None,
        out_dir: str | os.PathLike | None = None,
        save: Sequence[str] = ('flo', 'color'),
        max_flow: float | None = None,
        fps: float | None = None,
        show_progress: bool = False,
    ) -> Iterator[BaseDataElement]:
        """Predict and write pair by pair, as frames come in.

        No more than a batch of frames is in memory. Files are complete when
        the iterator ends, is closed or is no longer used.

        Args:
            inputs: See the class.
            batch_size (int): Frames that are encoded, and pairs that are
                estimated, at once. Defaults to 1.
            bidirectional (bool, optional): Whether to predict the backward
                flow and the occlusions too. Defaults to None: as the model
                is set.
            max_frames (int, optional): Stop after so many. Defaults to None.
            out_dir (str | PathLike, optional): Folder to write results to.
                Defaults to None: nothing is written.
            save (Sequence[str]): What is written, some of 'flo', 'png',
                'color', 'occ' and 'video'; see :class:`FlowWriter`.
            max_flow (float, optional): Length of flow in pixels that is
                drawn in full colour. Defaults to None: a round number that
                follows the motion, see :class:`ColorScale`.
            fps (float, optional): Of the video that is written. Defaults to
                None: as the source has it, else 10.
            show_progress (bool): Whether to draw a progress bar.

        Returns:
            Iterator[FlowDataSample]: On the CPU, with ``pred_flow_fw``
            (2, H, W) in pixels of the frames; if bidirectional also
            ``pred_flow_bw``, ``pred_occ_fw`` and ``pred_occ_bw`` (1, H, W),
            1 = occluded. Meta data: ``img1_path``, ``img2_path``,
            ``ori_shape``, ``img_shape`` and ``frame_name``, the name of its
            files.

        Raises:
            BadSampleError: If a frame or video is damaged, or frames that
                follow each other have different sizes.
            FileNotFoundError: If a path or camera does not exist.
            TypeError: If ``batch_size`` is none, such as a second frame.
            ValueError: If there is no pair, or for arguments that do not go
                together.
        """
        if not isinstance(batch_size, int):
            raise TypeError(
                f'batch_size must be an int, got {batch_size!r}; two frames '
                'come in one list: inferencer([first, second])'
            )
        if batch_size < 1:
            raise ValueError(f'batch_size must be positive, got {batch_size}')
        if bidirectional is None:
            bidirectional = self.model.bidirectional
        stream = open_stream(inputs).cut(max_frames)
        results = estimate_flow(self.model, stream, batch_size, bidirectional)
        if out_dir is not None:
            if 'occ' in save and not bidirectional:
                raise ValueError(
                    "save='occ' needs bidirectional=True: occlusions come "
                    'from the flow both ways'
                )
            if 'video' in save and stream.num_clips > 1:
                raise ValueError(
                    "save='video' needs frames that follow each other, got "
                    f'{stream.num_clips} pairs on their own'
                )
            writer = FlowWriter(
                out_dir,
                save,
                title=f'{stream.title}_flow',
                max_flow=max_flow,
                fps=fps or stream.fps,
            )
            results = writer.written(results)
        samples: Iterable = (sample for _, sample in results)
        if show_progress:
            samples = track(samples, 'Flow', total=stream.num_pairs)
        return iter(samples)
