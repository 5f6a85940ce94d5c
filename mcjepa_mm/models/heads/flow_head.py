from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from ..flow import (
    forward_backward_visibility,
    range_map_visibility,
    resize_flow,
    warp,
)
from .base_pretext_head import BasePretextHead

LOSS_TERMS = ('rec', 'reg', 'smooth', 'cycle', 'vc')
OCCLUSIONS = ('forward_backward', 'range_map')


def _swap(x: Tensor) -> Tensor:
    """Exchange the two halves of a batch, one for each direction."""
    return torch.cat(x.chunk(2)[::-1])


@MODELS.register_module()
class FlowHead(BasePretextHead):
    """The motion task: explain frame t by warping frame t + 1, unsupervised.

    Paper section 3 (P): the flow decoder on the two pyramids, and the terms

    ====== ===============================================================
    rec    photometric, on the image at the finest flow
    reg    feature of t against the warped feature of t + 1, per level
    smooth edge-aware smoothness of the finest flow
    cycle  feature of t warped forth and back against itself, per level
    vc     variance and covariance of the encoder's maps, every level
    ====== ===============================================================

    Both directions are estimated in one call, as one batch: its first half
    goes from t to t + 1, its second half back.

    Args:
        decoder (dict): Config of the flow decoder.
        losses (dict[str, dict]): Configs of the terms above; a term that is
            not named is not computed. Each loss has a ``loss_weight``.
        mean (Sequence[float]): The preprocessor's mean, to come back from
            ``inputs`` to images in [0, 1].
        std (Sequence[float]): The preprocessor's standard deviation.
        occlusion (str): How pixels without a counterpart are found:
            'forward_backward' (p; threshold ?) or 'range_map'.
        occlusion_weight (float): Share of the mask that is applied: 0 counts
            every pixel, 1 leaves the occluded ones out. With the full mask
            from the start, the trivial flow that calls everything occluded
            wins, so ramp it with a ``ScheduleHook``. Defaults to 1.
        bidirectional (bool): Sum the terms over both directions (mean of the
            two) and not only from t to t + 1 (?). Defaults to True.
        loss_weight (float): Weight of the task: "flow_weight" of the paper,
            where both tasks gain up to about 0.1 (P). Defaults to 1.
        init_cfg (dict, optional): mmengine's initialisation.

    Raises:
        ValueError: For unknown terms or occlusion; if there are not two
            frames.
    """

    def __init__(
        self,
        decoder: dict,
        losses: dict[str, dict],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        occlusion: str = 'forward_backward',
        occlusion_weight: float = 1.0,
        bidirectional: bool = True,
        loss_weight: float = 1.0,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(
            num_views=2, loss_weight=loss_weight, init_cfg=init_cfg
        )
        if not losses or set(losses) - set(LOSS_TERMS):
            raise ValueError(
                f'losses must name some of {LOSS_TERMS}, got {tuple(losses)}.'
            )
        if occlusion not in OCCLUSIONS:
            raise ValueError(
                f'occlusion must be one of {OCCLUSIONS}, got {occlusion!r}.'
            )
        self.decoder = MODELS.build(decoder)
        self.losses = nn.ModuleDict(
            {name: MODELS.build(cfg) for name, cfg in losses.items()}
        )
        self.occlusion = occlusion
        self.occlusion_weight = occlusion_weight
        self.bidirectional = bidirectional
        for name, value in (('mean', mean), ('std', std)):
            self.register_buffer(
                name,
                torch.tensor(value).view(1, 1, -1, 1, 1) / 255,
                persistent=False,
            )

    def loss(
        self, feats: tuple[Tensor, ...], inputs: Tensor
    ) -> dict[str, Tensor]:
        self.check_views(inputs)
        n = len(inputs) * (2 if self.bidirectional else 1)
        frames = (inputs * self.std + self.mean).transpose(0, 1).flatten(0, 1)
        feats = self.by_direction(feats, len(inputs))
        flows, mask = self.estimate(feats, frames.shape[-2:])
        # At 0 nothing is left out, at 1 all that is not visible.
        mask = 1 - self.occlusion_weight * (1 - mask[:n])

        terms = {}
        if 'rec' in self.losses:
            flow = resize_flow(flows[0][:n], frames.shape[-2:])
            terms['rec'] = self.losses['rec'](
                frames[:n], warp(_swap(frames)[:n], flow), mask
            )
        if 'smooth' in self.losses:
            image = F.interpolate(
                frames[:n], size=flows[0].shape[-2:], mode='area'
            )
            terms['smooth'] = self.losses['smooth'](flows[0][:n], image)
        # The finer levels that the decoder leaves out have no flow.
        moving = feats[-len(flows) :]
        masks = [
            F.interpolate(mask, x.shape[-2:], mode='area') for x in moving
        ]
        if 'reg' in self.losses:
            terms['reg'] = self.losses['reg'](
                [
                    (x[:n], warp(_swap(x)[:n], flow[:n]), visible)
                    for x, flow, visible in zip(
                        moving, flows, masks, strict=True
                    )
                ]
            )
        if 'cycle' in self.losses:
            terms['cycle'] = self.losses['cycle'](
                [
                    (x[:n], warp(warp(x, _swap(flow))[:n], flow[:n]), visible)
                    for x, flow, visible in zip(
                        moving, flows, masks, strict=True
                    )
                ]
            )
        if 'vc' in self.losses:
            for name, term in self.losses['vc'](feats).items():
                terms[f'vc_{name}'] = term
        return terms

    def predict(
        self,
        feats: tuple[Tensor, ...],
        inputs: Tensor,
        data_samples: list[BaseDataElement],
    ) -> list[BaseDataElement]:
        """Add the flow and the occlusion of both directions.

        ``pred_flow_fw`` and ``pred_flow_bw`` hold (2, H, W) in pixels of the
        input, ``pred_occ_fw`` and ``pred_occ_bw`` (1, H, W), 1 = occluded,
        the convention of mmflow's ground truth.
        """
        self.check_views(inputs)
        feats = self.by_direction(feats, len(inputs))
        size = inputs.shape[-2:]
        flows, visible = self.estimate(feats, size)
        flow = resize_flow(flows[0], size)
        for name, value in (('flow', flow), ('occ', 1 - visible)):
            for way, half in zip(('fw', 'bw'), value.chunk(2), strict=True):
                for sample, data in zip(data_samples, half, strict=True):
                    sample.set_field(
                        PixelData(data=data), f'pred_{name}_{way}'
                    )
        return data_samples

    @staticmethod
    def by_direction(feats: Sequence[Tensor], n: int) -> list[Tensor]:
        """From sample-major (N * 2, ...) to all first, then all second."""
        return [
            x.unflatten(0, (n, 2)).transpose(0, 1).flatten(0, 1) for x in feats
        ]

    def estimate(
        self, feats: Sequence[Tensor], size: tuple[int, int]
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Flows of both directions and the visibility at the image's size.

        Args:
            feats (Sequence[Tensor]): (2N, C_l, H_l, W_l), N first frames,
                then N second ones.
            size (tuple[int, int]): Height and width of the image.

        Returns:
            tuple: Flows, fine to coarse, each (2N, 2, H_l, W_l), N forward,
            then N backward; and the mask (2N, 1, H, W), visible = 1.
        """
        flows = self.decoder(feats, [_swap(x) for x in feats])
        flow = resize_flow(flows[0].detach(), size)
        if self.occlusion == 'range_map':
            return flows, range_map_visibility(_swap(flow))
        return flows, forward_backward_visibility(flow, _swap(flow))
