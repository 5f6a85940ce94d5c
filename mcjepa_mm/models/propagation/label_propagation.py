import os
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from ..base_model import ModeModel
from .cell_features import Features
from .feature_reader import FeatureReader
from .propagator import LabelPropagator
from .whitening import Whitening


@MODELS.register_module()
class LabelPropagation(ModeModel):
    """Video object segmentation by label propagation.

    Nothing is trained: the objects of the first frame are carried on by the
    likeness of features, see
    :class:`~mcjepa_mm.models.propagation.LabelPropagator`. Each frame is
    encoded once.

    Frames come in order, one data sample each, a video after the other; the
    model remembers where it is.

    Args:
        backbone (dict): Config of any backbone that returns one or several
            maps (N, C, H, W): this package's, mmpretrain's, a timm one by
            mmpretrain's ``TIMMBackbone``.
        data_preprocessor (dict): Config of the preprocessor, a
            ``ViewsDataPreprocessor`` with the mean and std that the backbone
            was trained with.
        levels (Sequence[int] | str, optional): Maps that are taken, by their
            position in what the backbone returns, or 'all'; several are
            normalised and concatenated. Defaults to the last one of the asked
            stride.
        stride (int): Pixels from cell to cell. Defaults to 8.
        whiten (str | PathLike, optional): Whiten each level before it is
            normalised: by the statistics of a video's first frame,
            'first_frame', or by those of other images, a file that
            :meth:`fit_whitening` made. Defaults to None: features as they
            are, as in DINO's protocol.
        shrinkage (float): Smallest variance of a direction that whitening
            scales up fully, as a share of the largest. Defaults to 1e-3.
        propagator (dict, optional): Arguments of :class:`LabelPropagator`:
            ``context_frames``, ``radius``, ``topk``, ``temperature`` and
            ``max_memory``. Defaults to DINO's.
        dtype (str): 'float32', or 'bfloat16': the encoder runs under autocast
            and features are kept and compared in 16 bits, in half the memory.
            Defaults to 'float32'.
        init_cfg (dict, optional): mmengine's initialisation.

    Raises:
        FileNotFoundError: If there is no file of statistics ``whiten``.
        ValueError: If a checkpoint leaves a part of the backbone as it was,
            or an option is out of range.
    """

    def __init__(
        self,
        backbone: dict,
        data_preprocessor: dict,
        *,
        levels: Sequence[int] | str | None = None,
        stride: int = 8,
        whiten: str | os.PathLike | None = None,
        shrinkage: float = 1e-3,
        propagator: dict | None = None,
        dtype: str = 'float32',
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        if dtype not in ('float32', 'bfloat16'):
            raise ValueError(
                f"dtype must be 'float32' or 'bfloat16', got {dtype!r}"
            )
        self.backbone = MODELS.build(backbone)
        self.reader = FeatureReader(
            levels=levels, stride=stride, whiten=whiten, shrinkage=shrinkage
        )
        self.dtype = getattr(torch, dtype)
        self.propagator = LabelPropagator(**propagator or {})
        self._video: tuple[str, int] | None = None
        self.backbone.register_load_state_dict_post_hook(_refuse_partly_random)

    @property
    def stride(self) -> int:
        """Pixels from cell to cell."""
        return self.reader.stride

    def extract_feat(
        self, images: Tensor, starts: Sequence[bool] | None = None
    ) -> Tensor:
        """Encode images.

        Args:
            images (Tensor): (N, 3, H, W), normalised.
            starts (Sequence[bool], optional): Which of them are the first
                frame of a video. Defaults to none.

        Returns:
            Tensor: (N, H / stride, W / stride, C), features of length 1.
        """
        if starts is None:
            starts = [False] * len(images)
        grid = self.reader.read(self._encode(images), images.shape[2:], starts)
        return grid.to(self.dtype)

    def extract_cells(
        self, images: Tensor, starts: Sequence[bool]
    ) -> Sequence[Features]:
        """:meth:`extract_feat`, coarse levels at their own size.

        It is what labels are propagated by.

        Args:
            images (Tensor): (N, 3, H, W), normalised.
            starts (Sequence[bool]): Which of them are the first frame of a
                video.

        Returns:
            Sequence[Tensor | CellFeatures]: Of each image.
        """
        maps = self._encode(images)
        cells = self.reader.read_cells(maps, tuple(images.shape[2:]), starts)
        return [each.to(self.dtype) for each in cells]

    @torch.no_grad()
    def fit_whitening(self, batches: Iterable[Tensor]) -> list[Whitening]:
        """Fit the whitening to images.

        They have to be others than those that results are reported of.

        Args:
            batches (Iterable[Tensor]): (N, 3, H, W) each, normalised, sizes
                may differ.

        Returns:
            list[Whitening]: Of each level, for
            :func:`~mcjepa_mm.models.propagation.write_whitening`.

        Raises:
            ValueError: If there are no images, or fewer than 2 cells.
        """
        return self.reader.fit(
            self.reader.moments(self._encode(images), images.shape[2:])
            for images in batches
        )

    def _encode(self, images: Tensor) -> Tensor | Sequence[Tensor]:
        with torch.autocast(
            images.device.type,
            self.dtype,
            enabled=self.dtype != torch.float32,
        ):
            return self.backbone(images)

    def tensor(self, inputs: Tensor) -> Tensor:
        """:meth:`extract_feat` of frames (N, 1, 3, H, W), normalised."""
        return self.extract_feat(inputs.flatten(0, 1))

    def loss(self, *_) -> dict[str, Tensor]:
        """Raise: this model has nothing to train.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError('LabelPropagation has no weights to train')

    @torch.no_grad()
    def predict(
        self, inputs: Tensor, data_samples: list[BaseDataElement]
    ) -> list[BaseDataElement]:
        """Add ``pred_objects`` to each frame's data sample.

        Args:
            inputs (Tensor): (N, 1, 3, H, W), normalised.
            data_samples (list[BaseDataElement]): With the meta data
                ``sequence``, ``frame_index`` and, where the index is 0,
                ``gt_objects``, PixelData (1, H, W) uint8: object numbers at
                the size that masks are to have. Where objects begin later,
                each with ``new_objects``, their numbers, and then with
                ``gt_objects`` too; other objects of it are not used.

        Returns:
            list[BaseDataElement]: The same, with PixelData (1, H, W) uint8 on
            the CPU. The first frame's is what was given, without the 255 of
            pixels that are undecided.

        Raises:
            ValueError: If a frame is not the one that follows.
        """
        video = self._video
        for sample in data_samples:
            video = _next_frame(video, sample)
        starts = [sample.frame_index == 0 for sample in data_samples]
        feats = self.extract_cells(inputs.flatten(0, 1), starts)
        for feat, sample in zip(feats, data_samples, strict=True):
            if sample.frame_index == 0:
                mask = self.propagator.start(feat, _given(sample))
            else:
                begin = _given(sample) if sample.get('new_objects') else None
                size = tuple(inputs.shape[3:])
                mask = self.propagator.step(feat, size, begin)
            sample.pred_objects = PixelData(data=torch.from_numpy(mask)[None])
        self._video = video
        return data_samples


def _given(sample: BaseDataElement) -> np.ndarray:
    """The mask (H, W) of the objects that begin in a frame."""
    given = sample.gt_objects.data[0].cpu().numpy()
    if 'new_objects' not in sample:
        return given
    return np.where(np.isin(given, sample.new_objects), given, 0)


def _next_frame(
    before: tuple[str, int] | None, sample: BaseDataElement
) -> tuple[str, int]:
    """Name and index of a frame; checks that it is the next one."""
    index = sample.frame_index
    if index and before != (sample.sequence, index - 1):
        raise ValueError(
            f'got frame {index} of {sample.sequence!r} after {before}: the '
            'frames of a video must come in order, from the first on, in one '
            'process; use SequenceSampler'
        )
    return sample.sequence, index


def _refuse_partly_random(backbone: nn.Module, incompatible) -> None:
    """Refuse a checkpoint that fills the backbone only in part."""
    missing = [
        key
        for key in incompatible.missing_keys
        if 'num_batches_tracked' not in key
    ]
    if missing:
        raise ValueError(
            f'the checkpoint lacks {len(missing)} tensors of the backbone, '
            f'such as {missing[0]!r}, which would stay random; give one of '
            'the same backbone whose keys begin with "backbone.", or none '
            "and set the backbone's init_cfg=dict(type='Pretrained', "
            'checkpoint=..., prefix=...)'
        )
