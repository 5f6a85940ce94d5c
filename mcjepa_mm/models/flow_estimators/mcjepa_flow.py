from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import ModuleDict
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor

from mcjepa_mm.registry import MODELS

from ..base_model import ModeModel
from ..flow import resize_flow
from ..heads.base_pretext_head import build_head
from .mmflow_data import supervised_loss, to_original_frame

TASK = 'motion'


@MODELS.register_module()
class MCJEPAFlow(ModeModel):
    """Optical flow estimator of mmflow from MC-JEPA's motion task.

    Encoder and head have the pretrainer's names, so a pretraining checkpoint
    loads as it is; what belongs to other tasks is left out. Frames of any
    size are padded to the pyramid and the flow is cut back.

    It has the interface of mmflow's ``FlowEstimator`` (inputs (N, 6, H, W)
    from its ``FlowDataPreprocessor``, ``FlowDataSample``, the modes 'loss',
    'predict' and 'tensor') and is not derived from it, so that importing our
    models does not import mmflow.

    Args:
        backbone (dict): Config of the encoder.
        head (dict): Config of the :class:`FlowHead`, its losses included:
            they train the model where there is no ``flow_loss``. Channels,
            strides, mean and std come from the encoder and the preprocessor.
        flow_loss (dict, optional): Config of a loss of mmflow, which trains
            the model on ground truth: ``mmflow.MultiLevelEPE``,
            ``mmflow.MultiLevelCharbonnierLoss`` or ``mmflow.SequenceLoss``.
            Levels have mmflow's names: level k has stride 2 ** k. Defaults
            to None, self-supervised.
        test_cfg (dict, optional): ``scale``: frames are scaled by it before
            they are encoded, which is faster and reaches further below 1;
            the flow comes back in pixels of the frames. ``bidirectional``:
            also predict the backward flow and the occlusions. Defaults to
            ``dict(scale=1.0, bidirectional=False)``.
        train_cfg (dict, optional): Unused, mmflow's configs have it.
        data_preprocessor (dict, optional): Usually mmflow's
            ``FlowDataPreprocessor``, with the pretraining's mean and std.
        init_cfg (dict | list[dict], optional): mmengine's initialisation.

    Raises:
        ValueError: If ``test_cfg`` has other keys or a scale that is not
            positive.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        *,
        flow_loss: dict | None = None,
        test_cfg: dict | None = None,
        train_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        test_cfg = dict(scale=1.0, bidirectional=False) | (test_cfg or {})
        if set(test_cfg) != {'scale', 'bidirectional'} or not (
            test_cfg['scale'] > 0
        ):
            raise ValueError(
                'test_cfg may set a positive `scale` and `bidirectional`, '
                f'got {test_cfg}.'
            )
        self.scale = test_cfg['scale']
        self.bidirectional = test_cfg['bidirectional']
        self.backbone = MODELS.build(backbone)
        self.heads = ModuleDict(
            {TASK: build_head(head, self.backbone, self.data_preprocessor)}
        )
        self.flow_loss = MODELS.build(flow_loss) if flow_loss else None

    @property
    def head(self):
        """FlowHead: The head that estimates flow from pyramids."""
        return self.heads[TASK]

    def tensor(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the forward flows of the levels.

        Args:
            inputs (Tensor): (N, 6, H, W), both frames, normalised.

        Returns:
            tuple[Tensor]: Fine to coarse, (N, 2, H_l, W_l), in pixels of
            their level and of the padded frames.
        """
        return self.head.decoder(*self.extract_feat(inputs))

    def loss(
        self, inputs: Tensor, data_samples: list[BaseDataElement]
    ) -> dict[str, Tensor]:
        """Return the supervised loss, or the motion task's terms.

        Args:
            inputs (Tensor): (N, 6, H, W), both frames, normalised.
            data_samples (list[FlowDataSample]): With ``gt_flow_fw`` and
                maybe ``gt_valid_fw``, if there is a ``flow_loss``.

        Returns:
            dict[str, Tensor]: Scalars, named ``loss_*``.
        """
        if self.flow_loss is not None:
            flows = self.tensor(inputs)
            return supervised_loss(
                self.flow_loss,
                flows,
                self.head.decoder.strides,
                inputs.shape[-2:],
                data_samples,
            )
        frames = self._pad(inputs.unflatten(1, (2, 3)).flatten(0, 1))
        frames = frames.unflatten(0, (-1, 2))
        terms = self.head.loss(self._encode(frames), frames, self._encode)
        return {f'loss_{name}': term for name, term in terms.items()}

    def predict(
        self,
        inputs: Tensor,
        data_samples: list[BaseDataElement] | None = None,
    ) -> list[BaseDataElement]:
        """Add the flow to the data samples.

        Args:
            inputs (Tensor): (N, 6, H, W), both frames, normalised.
            data_samples (list[FlowDataSample], optional): Of each pair. What
                their meta data says of padding and resizing is undone.

        Returns:
            list[FlowDataSample]: ``pred_flow_fw`` (2, H, W) in pixels of the
            original frames; if ``bidirectional`` also ``pred_flow_bw``,
            ``pred_occ_fw`` and ``pred_occ_bw`` (1, H, W), 1 = occluded.
        """
        if data_samples is None:
            from mmflow.structures import FlowDataSample

            data_samples = [FlowDataSample() for _ in inputs]
        results = self.estimate(
            *self.extract_feat(inputs, self.scale),
            inputs.shape[-2:],
            self.bidirectional,
        )
        for name, batch in results.items():
            for sample, data in zip(data_samples, batch, strict=True):
                data = to_original_frame(data, sample.metainfo)
                sample.set_field(PixelData(data=data), f'pred_{name}')
        return data_samples

    def extract_feat(
        self, inputs: Tensor, scale: float = 1.0
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Encode both frames in one call.

        Args:
            inputs (Tensor): (N, 6, H, W), both frames, normalised.
            scale (float): See :meth:`encode`.

        Returns:
            tuple[list[Tensor]]: Of frames t and of frames t + 1, fine to
            coarse, level l is (N, C_l, H_l, W_l).
        """
        n = inputs.shape[0]
        feats = self.encode(torch.cat(inputs.chunk(2, dim=1)), scale)
        # chunk() would fix the batch in a traced graph
        return [x[:n] for x in feats], [x[n:] for x in feats]

    def encode(self, frames: Tensor, scale: float = 1.0) -> tuple[Tensor, ...]:
        """Encode frames after scaling and padding.

        A frame of a video belongs to two pairs: encode it once, with the
        model's ``scale``, and hand its pyramid to :meth:`estimate` twice.

        Args:
            frames (Tensor): (N, 3, H, W), normalised.
            scale (float): Factor of both sides. Defaults to 1.

        Returns:
            tuple[Tensor]: (N, C_l, H_l, W_l), fine to coarse.
        """
        if scale != 1:
            frames = F.interpolate(
                # The mean over an area does not alias when a frame shrinks.
                frames,
                size=scaled_size(frames.shape[-2:], scale),
                mode='area' if scale < 1 else 'bilinear',
            )
        return tuple(self.backbone(self._pad(frames)))

    def estimate(
        self,
        feats1: Sequence[Tensor],
        feats2: Sequence[Tensor],
        size: tuple[int, int],
        bidirectional: bool = False,
    ) -> dict[str, Tensor]:
        """Estimate the flow from pyramids of :meth:`encode`.

        Args:
            feats1 (Sequence[Tensor]): Pyramid of frames t, with the model's
                ``scale``.
            feats2 (Sequence[Tensor]): Pyramid of frames t + 1.
            size (tuple[int, int]): Height and width (H, W) of the frames.
            bidirectional (bool): Also the way back. Defaults to False.

        Returns:
            dict[str, Tensor]: ``flow_fw``, (N, 2, H, W), pixels of the
            frames; if bidirectional also ``flow_bw``, and ``occ_fw`` and
            ``occ_bw``, (N, 1, H, W), 1 = occluded.
        """
        if bidirectional:
            feats1, feats2 = (
                [torch.cat(x) for x in zip(feats1, feats2)],
                [torch.cat(x) for x in zip(feats2, feats1)],
            )
        flow = self.head.decoder(feats1, feats2)[0]
        height, width = scaled_size(size, self.scale)
        flow = resize_flow(flow, self._padded_size((height, width)))
        flow = resize_flow(flow[..., :height, :width], size)
        if not bidirectional:
            return dict(flow_fw=flow)
        (fw, bw), (occ_fw, occ_bw) = (
            flow.chunk(2),
            (1 - self.head.visibility(flow)).chunk(2),
        )
        return dict(flow_fw=fw, flow_bw=bw, occ_fw=occ_fw, occ_bw=occ_bw)

    def _encode(self, frames: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.backbone(frames.flatten(0, 1)))

    def _padded_size(self, size: tuple[int, int]) -> tuple[int, int]:
        step = self.head.decoder.strides[-1]
        # a negative side // step would be rounded to 0 in a traced graph
        return tuple((side + step - 1) // step * step for side in size)

    def _pad(self, frames: Tensor) -> Tensor:
        size = frames.shape[-2:]
        rows, columns = (b - a for a, b in zip(size, self._padded_size(size)))
        return F.pad(frames, (0, columns, 0, rows), mode='replicate')


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Height and width times ``scale``, at least one pixel."""
    height, width = (max(1, round(side * scale)) for side in size)
    return height, width
