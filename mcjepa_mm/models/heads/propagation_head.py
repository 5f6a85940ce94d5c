import os
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor

from mcjepa_mm.registry import MODELS

from ..propagation import FeatureReader, LabelPropagator


@MODELS.register_module()
class PropagationHead(BaseModule):
    """Label propagation in the validation of a pretraining.

    A head of ``MultiTaskPretrainer`` for a task that is validated and never
    trained: it has no weights. The views are the frames of a clip, and
    :class:`~mcjepa_mm.models.propagation.LabelPropagator` carries the objects
    of the first one through the others.

    Args:
        levels (Sequence[int] | str, optional): Levels of the pyramid, see
            :func:`~mcjepa_mm.models.propagation.feature_grid`. Defaults to
            the last one of the asked stride.
        stride (int): Pixels from cell to cell. Defaults to 8.
        whiten (str | PathLike, optional): 'first_frame': each level is
            whitened by the statistics of the clip's first frame; or a file of
            statistics, see
            :class:`~mcjepa_mm.models.propagation.FeatureReader`. Defaults to
            None: features as they are.
        shrinkage (float): Of the whitening. Defaults to 1e-3.
        propagator (dict, optional): Arguments of ``LabelPropagator``.

    Raises:
        FileNotFoundError, ValueError: As ``FeatureReader`` and
            ``LabelPropagator`` do.
    """

    def __init__(
        self,
        *,
        levels: Sequence[int] | str | None = None,
        stride: int = 8,
        whiten: str | os.PathLike | None = None,
        shrinkage: float = 1e-3,
        propagator: dict | None = None,
    ) -> None:
        super().__init__()
        self.reader = FeatureReader(
            levels=levels, stride=stride, whiten=whiten, shrinkage=shrinkage
        )
        self.propagator = LabelPropagator(**propagator or {})

    def loss(self, *_) -> dict[str, Tensor]:
        """Raise: this head has nothing to train.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            'PropagationHead has no weights to train: validate its task, and '
            'leave it out of the training data'
        )

    @torch.no_grad()
    def predict(
        self,
        feats: tuple[Tensor, ...],
        inputs: Tensor,
        data_samples: list[BaseDataElement],
    ) -> list[BaseDataElement]:
        """Propagate the first mask of each clip.

        Args:
            feats (tuple[Tensor]): The pyramid over all N * T frames.
            inputs (Tensor): (N, T, 3, H, W).
            data_samples (list[BaseDataElement]): N, with the meta data
                ``sequence`` and ``gt_objects``, PixelData (T, H, W) uint8.

        Returns:
            list[BaseDataElement]: A sample for each of the N * T frames, in
            order, as ``LabelPropagation`` returns it, for ``DAVISMetric``.

        Raises:
            ValueError: If a clip and its masks differ in length.
        """
        image_size = tuple(inputs.shape[3:])
        starts = [t == 0 for _ in inputs for t in range(inputs.shape[1])]
        cells = self.reader.read_cells(feats, image_size, starts)
        length = inputs.shape[1]
        clips = [cells[i : i + length] for i in range(0, len(cells), length)]
        frames = []
        for clip, sample in zip(clips, data_samples, strict=True):
            truth = sample.gt_objects.data.cpu()
            if len(truth) != len(clip):
                raise ValueError(
                    f'{sample.sequence}: a clip of {len(clip)} frames has '
                    f'{len(truth)} masks; each frame needs one'
                )
            for t, (feat, mask) in enumerate(zip(clip, truth)):
                if t:
                    found = self.propagator.step(feat, image_size)
                else:
                    found = self.propagator.start(feat, mask.numpy())
                meta = dict(
                    sequence=sample.sequence,
                    frame_index=t,
                    num_frames=len(clip),
                )
                frames.append(
                    BaseDataElement(
                        metainfo=meta,
                        gt_objects=PixelData(data=mask[None]),
                        pred_objects=PixelData(
                            data=torch.from_numpy(found)[None]
                        ),
                    )
                )
        return frames
