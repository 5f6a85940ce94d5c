from collections.abc import Callable, Sequence

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
from ..losses.distributed import check_shapes
from .base_pretext_head import BasePretextHead, EncoderInfo, fill_in

LOSS_TERMS = (
    'rec',
    'reg',
    'smooth',
    'cycle',
    'vc',
    'student',
    'dense',
    'slow',
)
OCCLUSIONS = {
    'forward_backward': ('alpha', 'beta'),
    'range_map': ('threshold',),
}


def bidirectional_pairs(x: Tensor) -> tuple[Tensor, Tensor]:
    """Sources and targets of the flows between frames, both directions.

    Of (N, 2, ...) each (2 * N, ...): first all motions from frame t to t + 1,
    then all those back.
    """
    first, second = x[:, 0], x[:, 1]
    return torch.cat([first, second]), torch.cat([second, first])


def _swap(x: Tensor) -> Tensor:
    """Swap the two halves of a batch, one per direction."""
    return torch.cat(x.chunk(2)[::-1])


@MODELS.register_module()
class FlowHead(BasePretextHead):
    """Motion task: unsupervised optical flow by warping.

    Paper section 3 (P): the flow decoder on the two pyramids, and the terms

    ====== ===============================================================
    rec    photometric, on the image at the finest flow
    reg    feature of t against the warped feature of t + 1, per level
    smooth edge-aware smoothness of the finest flow, at the image's size
    cycle  feature of t warped forth and back against itself, per level
    vc     variance and covariance of the encoder's maps, every level
    ====== ===============================================================

    and three that it does not have: ``student``, the flow of a zoomed and
    disturbed crop against that of the whole frame, see
    :class:`SelfSupervisionLoss`; ``dense``, VICReg on the features of
    points that the flow matches, see :class:`DenseVICReg`; and ``slow``, the
    length of the levels' flows, see :class:`SlownessLoss`.

    Both directions are estimated in one call, as one batch: its first half
    goes from t to t + 1, its second half back.

    Args:
        decoder (dict): Config of the flow decoder. A pretrainer takes its
            ``in_channels`` and ``strides`` from the encoder.
        losses (dict[str, dict]): Configs of the terms above; a term that is
            not named is not computed. Each loss has a ``loss_weight``.
        mean (Sequence[float]): The preprocessor's mean, to come back from
            ``inputs`` to images in [0, 1]; a pretrainer takes it from there.
        std (Sequence[float]): The preprocessor's standard deviation.
        occlusion (str): How pixels without a counterpart are found:
            'forward_backward' (p; threshold ?) or 'range_map'.
        occlusion_cfg (dict, optional): The thresholds of that: ``alpha`` and
            ``beta`` of
            :func:`~mcjepa_mm.models.flow.forward_backward_visibility`, or
            ``threshold`` of
            :func:`~mcjepa_mm.models.flow.range_map_visibility`. Defaults to
            None: theirs.
        occlusion_weight (float): Share of the mask that is applied: 0 counts
            every pixel, 1 leaves the occluded ones out. With the full mask
            from the start, the trivial flow that calls everything occluded
            wins, so ramp it with a ``ScheduleHook``. Defaults to 1.
        bidirectional (bool): Sum the terms over both directions (mean of the
            two) and not only from t to t + 1 (?). Defaults to True.
        rec_levels (Sequence[float]): Weight for each level of the pyramid,
            fine to coarse, of ``rec`` taken at the flow of that level as
            well, on the images at its size, as ARFlow does (arXiv
            2003.13045). Without it small motions are learnt by the fine
            levels alone, and the coarse ones get no gradient of what the
            frames show (I). Not in the paper. Defaults to (): at the image's
            size only.
        rec_levels_weight (float): Of all ``rec_levels`` together, for a
            ``ScheduleHook``: they begin what the finest level has to end.
            Defaults to 1.
        smooth_levels (Sequence[float]): Weight for each level of ``smooth``
            taken at the flow of that level as well. Without it coarse flow
            is noise where a level sees no texture, and in pictures larger
            than those of the training the finer levels do not mend it (I).
            A second difference grows with the square of the stride. Not in
            the paper. Defaults to (): at the image's size only.
        loss_weight (float): Weight of the task: "flow_weight" of the paper,
            where both tasks gain up to about 0.1 (P). Defaults to 1.
        init_cfg (dict, optional): mmengine's initialisation.

    Raises:
        ValueError: For unknown terms or occlusion; if samples do not have
            two frames; if the processes' batches differ in size.
    """

    def __init__(
        self,
        decoder: dict,
        losses: dict[str, dict],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        occlusion: str = 'forward_backward',
        occlusion_cfg: dict | None = None,
        occlusion_weight: float = 1.0,
        bidirectional: bool = True,
        rec_levels: Sequence[float] = (),
        rec_levels_weight: float = 1.0,
        smooth_levels: Sequence[float] = (),
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
                f'occlusion must be one of {tuple(OCCLUSIONS)}, got '
                f'{occlusion!r}.'
            )
        occlusion_cfg = dict(occlusion_cfg or {})
        if set(occlusion_cfg) - set(OCCLUSIONS[occlusion]):
            raise ValueError(
                f'occlusion_cfg of {occlusion!r} may set '
                f'{OCCLUSIONS[occlusion]}, got {tuple(occlusion_cfg)}.'
            )
        self.decoder = MODELS.build(decoder)
        self.losses = nn.ModuleDict(
            {name: MODELS.build(cfg) for name, cfg in losses.items()}
        )
        self.occlusion = occlusion
        self.occlusion_cfg = occlusion_cfg
        self.occlusion_weight = occlusion_weight
        self.visible: Tensor | None = None
        self.bidirectional = bidirectional
        self.rec_levels = tuple(rec_levels)
        self.rec_levels_weight = rec_levels_weight
        self.smooth_levels = tuple(smooth_levels)
        for name, value in (('mean', mean), ('std', std)):
            self.register_buffer(
                name,
                torch.tensor(value).view(1, 1, -1, 1, 1) / 255,
                persistent=False,
            )

    @classmethod
    def complete(cls, cfg: dict, encoder: EncoderInfo) -> dict:
        decoder = fill_in(
            cfg['decoder'],
            in_channels=encoder.channels,
            strides=encoder.strides,
        )
        losses = dict(cfg['losses'])
        if 'dense' in losses:
            losses['dense'] = fill_in(
                losses['dense'], in_channels=encoder.channels
            )
        cfg = dict(cfg, decoder=decoder, losses=losses)
        return fill_in(cfg, mean=encoder.mean, std=encoder.std)

    def loss(
        self,
        feats: tuple[Tensor, ...],
        inputs: Tensor,
        encode: Callable[[Tensor], tuple[Tensor, ...]],
    ) -> dict[str, Tensor]:
        self.check_views(inputs)
        check_shapes([inputs])
        pyramids = self.to_pair_pyramids(feats, inputs)
        flows, flow, visible = self.estimate(pyramids, inputs.shape[-2:])
        self.visible = visible  # of the last step, for hooks
        n = len(flow) if self.bidirectional else len(flow) // 2
        images = bidirectional_pairs(inputs * self.std + self.mean)
        frames, others = (x[:n] for x in images)
        # At 0 nothing is left out, at 1 all that is not visible.
        mask = 1 - self.occlusion_weight * (1 - visible[:n])

        terms, losses = {}, self.losses
        if 'rec' in losses:
            terms['rec'] = self._rec(frames, others, mask, flow, flows)
        if 'smooth' in losses:
            terms['smooth'] = self._smooth(frames, flow, flows)
        if 'slow' in losses:
            terms['slow'] = losses['slow']([x[:n] for x in flows])
        if 'reg' in losses or 'cycle' in losses:
            terms.update(self._reg_and_cycle(*pyramids, mask, flows))
        if 'vc' in losses:
            vc = losses['vc'](feats, num_views=inputs.shape[1])
            terms.update({f'vc_{name}': term for name, term in vc.items()})
        # Not before a schedule begins it: it costs a pass of the encoder.
        if 'student' in losses and losses['student'].loss_weight:
            views, window = losses['student'].views(inputs)
            pyramids = self.to_pair_pyramids(encode(views), views)
            _, *student = self.estimate(pyramids, inputs.shape[-2:])
            terms['student'] = losses['student'](
                *student, flow, visible, window
            )
        if 'dense' in losses and losses['dense'].loss_weight:
            stills, nexts = (x[:n] for x in bidirectional_pairs(inputs))
            if losses['dense'].by_flow:
                matches = nexts, flow[:n], visible[:n]
            else:
                matches = (
                    stills,
                    torch.zeros_like(flow[:n]),
                    torch.ones_like(visible[:n]),
                )
            dense = losses['dense'](stills, *matches, encode)
            terms.update({f'dense_{name}': x for name, x in dense.items()})
        return terms

    def _rec(
        self,
        frames: Tensor,
        others: Tensor,
        mask: Tensor,
        flow: Tensor,
        flows: Sequence[Tensor],
    ) -> Tensor:
        loss, n = self.losses['rec'], len(frames)
        rec = loss(frames, warp(others, flow[:n]), mask)
        # the finer levels may have no flow
        for weight, level in zip(self.rec_levels[-len(flows) :], flows):
            if weight:
                image, other, seen = (
                    F.interpolate(x, level.shape[-2:], mode='area')
                    for x in (frames, others, mask)
                )
                error = loss(image, warp(other, level[:n]), seen)
                rec = rec + self.rec_levels_weight * weight * error
        return rec

    def _smooth(
        self, frames: Tensor, flow: Tensor, flows: Sequence[Tensor]
    ) -> Tensor:
        loss, n = self.losses['smooth'], len(frames)
        smooth = loss(flow[:n], frames)
        for weight, level in zip(self.smooth_levels[-len(flows) :], flows):
            if weight:
                image = F.interpolate(frames, level.shape[-2:], mode='area')
                smooth = smooth + weight * loss(level[:n], image)
        return smooth

    def _reg_and_cycle(
        self,
        source: Sequence[Tensor],
        target: Sequence[Tensor],
        mask: Tensor,
        flows: Sequence[Tensor],
    ) -> dict[str, Tensor]:
        # The finer levels that the decoder leaves out have no flow.
        source, target = (x[-len(flows) :] for x in (source, target))
        n = len(mask)
        masks = [
            F.interpolate(mask, x.shape[-2:], mode='area') for x in source
        ]
        # A feature that is warped forth is what the other direction's target
        # was warped to: the cycle goes on from there.
        warped = [warp(y, f) for y, f in zip(target, flows)]
        terms = {}
        if 'reg' in self.losses:
            terms['reg'] = self.losses['reg'](
                [(x[:n], y[:n], m) for x, y, m in zip(source, warped, masks)]
            )
        if 'cycle' in self.losses:
            terms['cycle'] = self.losses['cycle'](
                [
                    (x[:n], warp(_swap(y)[:n], f[:n]), m)
                    for x, y, f, m in zip(source, warped, flows, masks)
                ]
            )
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
        _, flow, visible = self.estimate(
            self.to_pair_pyramids(feats, inputs), inputs.shape[-2:]
        )
        for name, value in (('flow', flow), ('occ', 1 - visible)):
            for way, half in zip(('fw', 'bw'), value.chunk(2), strict=True):
                for sample, data in zip(data_samples, half, strict=True):
                    sample.set_field(
                        PixelData(data=data), f'pred_{name}_{way}'
                    )
        return data_samples

    @staticmethod
    def to_pair_pyramids(
        feats: Sequence[Tensor], inputs: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The pyramids of the sources and of the targets, both directions.

        Levels (N * 2, C_l, H_l, W_l), sample-major, come in the order of
        :func:`bidirectional_pairs`.
        """
        levels = [
            bidirectional_pairs(x.unflatten(0, inputs.shape[:2]))
            for x in feats
        ]
        source, target = zip(*levels)
        return list(source), list(target)

    def estimate(
        self,
        pyramids: tuple[Sequence[Tensor], Sequence[Tensor]],
        size: tuple[int, int],
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Estimate the flows and visibility masks of both directions.

        Args:
            pyramids (tuple): Of the sources and of the targets, M forward
                motions, then the same M backward.
            size (tuple[int, int]): Height and width of the image.

        Returns:
            tuple: Flows of the levels, fine to coarse, (2M, 2, H_l, W_l),
            pixels of their level; the finest one at the image's size,
            (2M, 2, H, W); and the mask (2M, 1, H, W), visible = 1.
        """
        flows = self.decoder(*pyramids)
        flow = resize_flow(flows[0], size)
        return flows, flow, self.visibility(flow.detach())

    def visibility(self, flow: Tensor) -> Tensor:
        """Visibility (2M, 1, H, W) of M forward, then M backward flows."""
        if self.occlusion == 'range_map':
            return range_map_visibility(_swap(flow), **self.occlusion_cfg)
        return forward_backward_visibility(
            flow, _swap(flow), **self.occlusion_cfg
        )
