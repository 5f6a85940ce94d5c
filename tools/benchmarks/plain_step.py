"""MC-JEPA's pretraining step as one would put it together from public parts.

mmpretrain's ConvNeXt with the two convolutions of MC-JEPA in front, mmflow's
Warp, lightly's VICRegLoss, and the flow decoder and the losses as their
formulas are commonly written down. The encoder runs once for each view and
each frame, the decoder once for each direction. Nothing is slow on purpose.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from lightly.loss import VICRegLoss
from mmflow.models.utils import Warp
from mmpretrain.models import ConvNeXt
from torch import Tensor, nn

from benchmarks.plain_losses import (
    SSIM,
    covariance,
    masked_mean,
    smoothness,
    variance,
    visibility,
)

ARCH = dict(depths=[3, 3, 9, 3], channels=[96, 192, 384, 768])
EXPANDER = (8192, 8192, 8192)
HIDDEN = (128, 128, 96, 64, 32)
RADIUS = 4
UNIT = 20.0
MAX_FLOW = 128.0
MOTION_WEIGHT = 0.1
REC, REG, SMOOTH, CYCLE = 1.0, 1.0, 75.0, 0.2
# fine to coarse
VARIANCE = (0.0001, 0.001, 0.01, 0.01, 0.01, 0.01)
COVARIANCE = (0.0, 0.0, 0.0, 0.001, 0.04, 0.04)
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Encoder(nn.Module):
    """Six levels: two convolutions, then mmpretrain's four stages."""

    def __init__(self, arch: dict) -> None:
        super().__init__()
        width = arch['channels'][0]
        half = width // 2
        self.stem = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, half, kernel, stride=2, padding=1),
                ChannelNorm(half, eps=1e-6),
            )
            for before, kernel in ((3, 4), (half, 3))
        )
        self.convnext = ConvNeXt(
            arch,
            out_indices=[0, 1, 2, 3],
            layer_scale_init_value=0.0,
            gap_before_final_norm=False,
        )
        self.convnext.downsample_layers[0] = nn.Sequential(
            ChannelNorm(half, eps=1e-6), nn.Conv2d(half, width, 2, stride=2)
        )
        for i in range(4):
            setattr(self.convnext, f'norm{i}', nn.Identity())

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) to the levels, fine to coarse."""
        fine = self.stem[0](x)
        second = self.stem[1](fine)
        return fine, second, *self.convnext(second)


class Estimator(nn.Module):
    """The convolutions of one level of the decoder."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (channels, *HIDDEN)
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(before, after, 3, padding=1),
                    ChannelNorm(after),
                    nn.LeakyReLU(0.1),
                )
                for before, after in zip(widths, HIDDEN)
            )
        )
        self.predict = nn.Conv2d(HIDDEN[-1], 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to (N, 2, H, W)."""
        return self.predict(self.layers(x))


class Decoder(nn.Module):
    """PWC-Net's recursion over all levels, one direction a call."""

    def __init__(self, channels: Sequence[int], cost_volume: Callable) -> None:
        super().__init__()
        self.cost_volume = cost_volume
        # At the default align_corners=False its grid is off by up to half a
        # pixel; its mask would cost a second sampling.
        self.warp = Warp(align_corners=True, use_mask=False)
        volume = (2 * RADIUS + 1) ** 2
        self.estimators = nn.ModuleDict(
            {str(i): Estimator(volume + c + 2) for i, c in enumerate(channels)}
        )

    def forward(
        self, feats1: Sequence[Tensor], feats2: Sequence[Tensor]
    ) -> list[Tensor]:
        """Two pyramids to the flows of all levels, fine to coarse."""
        flows, flow = [], None
        for i in reversed(range(len(feats1))):
            feat1, warped = feats1[i], feats2[i]
            if flow is None:
                flow = torch.zeros_like(feat1[:, :2])
            else:
                flow = upsample(flow, feat1.shape[-2:])
                warped = self.warp(warped, flow)
            volume = self.cost_volume(feat1, warped, RADIUS)
            x = torch.cat([F.leaky_relu(volume, 0.1), feat1, flow], dim=1)
            residual = self.estimators[str(i)](x) * (UNIT / 2 ** (i + 1))
            flow = (flow + residual).clamp(-MAX_FLOW, MAX_FLOW)
            flows.insert(0, flow)
        return flows


def upsample(flow: Tensor, size: Sequence[int]) -> Tensor:
    """To twice the resolution, in its pixels."""
    return 2 * F.interpolate(flow, size=size, mode='bilinear')


class PlainStep(nn.Module):
    """The loss of both tasks.

    Args:
        cost_volume (Callable): Two maps and a radius to the volume.
        arch (dict): ``depths`` and ``channels`` of ConvNeXt.
        expander (Sequence[int]): Widths of the expander's three layers.
    """

    def __init__(
        self,
        cost_volume: Callable,
        arch: dict = ARCH,
        expander: Sequence[int] = EXPANDER,
    ) -> None:
        super().__init__()
        channels = arch['channels']
        half = channels[0] // 2
        self.encoder = Encoder(arch)
        first, second, third = expander
        self.expander = nn.Sequential(
            nn.Linear(channels[-1], first),
            nn.BatchNorm1d(first),
            nn.ReLU(inplace=True),
            nn.Linear(first, second),
            nn.BatchNorm1d(second),
            nn.ReLU(inplace=True),
            nn.Linear(second, third, bias=False),
        )
        # Its conventions are the official code's, as ours are.
        self.vicreg = VICRegLoss(25.0, 25.0, 1.0)
        self.decoder = Decoder((half, half, *channels), cost_volume)
        self.warp = Warp(
            align_corners=True, padding_mode='border', use_mask=False
        )
        self.ssim = SSIM()
        for name, value in (('mean', MEAN), ('std', STD)):
            value = torch.tensor(value).view(-1, 1, 1) / 255
            self.register_buffer(name, value, persistent=False)

    def forward(self, content: Tensor, motion: Tensor) -> dict[str, Tensor]:
        """The weighted terms of the loss.

        Args:
            content (Tensor): (N, 2, 3, H, W), normalised views.
            motion (Tensor): (N, 2, 3, H, W), normalised frames.
        """
        terms = {'content': self.vicreg_of(content[:, 0], content[:, 1])}
        flow_terms = self.flow_of(motion[:, 0], motion[:, 1])
        for name, term in flow_terms.items():
            terms[f'motion.{name}'] = MOTION_WEIGHT * term
        return terms

    def vicreg_of(self, view1: Tensor, view2: Tensor) -> Tensor:
        """VICReg on the mean of the coarsest level."""
        z1, z2 = (
            self.expander(self.encoder(view)[-1].mean(dim=(2, 3)))
            for view in (view1, view2)
        )
        return self.vicreg(z1, z2)

    def flow_of(self, frame1: Tensor, frame2: Tensor) -> dict[str, Tensor]:
        """The terms of both directions together."""
        feats1, feats2 = self.encoder(frame1), self.encoder(frame2)
        images = [x * self.std + self.mean for x in (frame1, frame2)]
        flows1 = self.decoder(feats1, feats2)
        flows2 = self.decoder(feats2, feats1)
        size = frame1.shape[-2:]
        full = [upsample(flows[0], size) for flows in (flows1, flows2)]
        with torch.no_grad():
            masks = [
                visibility(flow, self.warp(back, flow))
                for flow, back in (full, full[::-1])
            ]
        rec = []
        for image, other, flow in zip(images, images[::-1], full):
            warped = self.warp(other, flow)
            error = image - warped
            error = error.abs() + error**2 + self.ssim(image, warped)
            rec.append(error)
        smooth = sum(map(smoothness, full, images)) / 2

        reg = cycle = spread = correlation = 0.0
        for i, (feat1, feat2) in enumerate(zip(feats1, feats2)):
            flow1, flow2 = flows1[i], flows2[i]
            small = [
                F.interpolate(m, feat1.shape[-2:], mode='area') for m in masks
            ]
            errors = [
                (feat1 - self.warp(feat2, flow1)) ** 2,
                (feat2 - self.warp(feat1, flow2)) ** 2,
            ]
            reg = reg + masked_mean(errors, small)
            errors = [
                (feat1 - self.warp(self.warp(feat1, flow2), flow1)) ** 2,
                (feat2 - self.warp(self.warp(feat2, flow1), flow2)) ** 2,
            ]
            cycle = cycle + masked_mean(errors, small)
            z = torch.cat([feat1, feat2]).permute(0, 2, 3, 1).flatten(0, 2)
            spread = spread + VARIANCE[i] * variance(z)
            if COVARIANCE[i]:
                correlation = correlation + COVARIANCE[i] * covariance(z)
        return dict(
            rec=REC * masked_mean(rec, masks),
            reg=REG * reg,
            smooth=SMOOTH * smooth,
            cycle=CYCLE * cycle,
            vc_variance=spread,
            vc_covariance=correlation,
        )

    def load_pretrainer(self, state: dict[str, Tensor]) -> None:
        """Take the weights of a MultiTaskPretrainer's state dict.

        Raises:
            RuntimeError: If one of ours is not in it.
        """
        self.load_state_dict(
            {
                plain_name(name): value
                for name, value in state.items()
                if not name.startswith('heads.propagation.')
            }
        )


def plain_name(name: str) -> str:
    """Name of a weight of a MultiTaskPretrainer in the plain step."""
    for theirs, ours in (
        ('backbone.stem.', 'encoder.stem.'),
        ('backbone.', 'encoder.convnext.'),
        ('heads.content.', ''),
        ('heads.motion.', ''),
    ):
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name
