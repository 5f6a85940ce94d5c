import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mcjepa_mm.registry import MODELS

from ..backbones.layers import LayerNorm2d
from .cost_volume import joined_cost_volume
from .warp import resize_flow, warp

SLOPE = 0.1  # of all leaky ReLUs
SLOWNESS = 0.003  # see propagate_flow


class ConvLayer(nn.Sequential):
    """Convolution, LayerNorm, leaky ReLU.

    The paper puts a LayerNorm after every convolution of the estimator but
    the last, without them training diverged (p).

    Args:
        in_channels (int): Channels of the input.
        out_channels (int): Channels of the output.
        dilation (int): Of the 3 x 3 convolution. Defaults to 1.
    """

    def __init__(
        self, in_channels: int, out_channels: int, dilation: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                out_channels,
                kernel_size=3,
                padding=dilation,
                dilation=dilation,
            ),
            LayerNorm2d(out_channels),
            nn.LeakyReLU(SLOPE, inplace=True),
        )

    def normalize(self, x: Tensor) -> Tensor:
        """LayerNorm and leaky ReLU, (N, C, H, W) to (N, C, H, W).

        The leaky ReLU writes over the LayerNorm's output, which neither
        needs in backward. It comes before the permutation: autograd copies
        the gradient of a view that was written to.
        """
        _, norm, act = self
        return act(norm.channels_last(x)).permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.normalize(self[0](x))


def _normalize(*feats: Tensor) -> list[Tensor]:
    """Zero mean and unit variance over all maps of a sample together."""
    both = torch.stack(feats, dim=1)
    both = both.to(torch.promote_types(both.dtype, torch.float32))
    var, mean = torch.var_mean(both, dim=(1, 2, 3, 4), keepdim=True)
    both = (both - mean) / (var + 1e-6).sqrt()
    return [x.to(feats[0].dtype) for x in both.unbind(1)]


class FlowEstimator(nn.Module):
    """Predict the residual flow of one level.

    Args:
        in_channels (int): Channels of cost volume, feature and flow together.
        hidden (Sequence[int]): Width of each convolution before the last.
        with_cp (bool): Keep the convolutions' outputs only and normalise
            them again in backward, to save memory. Defaults to False.
    """

    def __init__(
        self, in_channels: int, hidden: Sequence[int], with_cp: bool = False
    ) -> None:
        super().__init__()
        widths = [in_channels, *hidden]
        self.layers = nn.Sequential(
            *(ConvLayer(a, b) for a, b in zip(widths, hidden))
        )
        self.predict = nn.Conv2d(widths[-1], 2, kernel_size=3, padding=1)
        self.with_cp = with_cp

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, in_channels, H, W) to hidden feature and flow (N, 2, H, W)."""
        if not (self.with_cp and torch.is_grad_enabled()):
            x = self.layers(x)
            return x, self.predict(x)
        # Each checkpoint ends with a convolution, which backward does not
        # repeat: the recomputation stops as soon as its input is there.
        first, *convs = [layer[0] for layer in self.layers] + [self.predict]
        x = first(x)
        for layer, conv in zip(self.layers, convs):
            hidden, x = checkpoint(
                _normalize_and_convolve,
                layer,
                conv,
                x,
                use_reentrant=False,
                preserve_rng_state=False,  # nothing is drawn
            )
        return hidden, x


def _normalize_and_convolve(
    layer: ConvLayer, conv: nn.Conv2d, x: Tensor
) -> tuple[Tensor, Tensor]:
    x = layer.normalize(x)
    return x, conv(x)


class ContextNetwork(nn.Sequential):
    """Refine the finest flow with dilated convolutions (PWC-Net).

    Args:
        in_channels (int): Channels of the hidden feature and the flow.
    """

    def __init__(self, in_channels: int) -> None:
        widths = (in_channels, 128, 128, 128, 96, 64, 32)
        dilations = (1, 2, 4, 8, 16, 1)
        super().__init__(
            *(
                ConvLayer(a, b, d)
                for a, b, d in zip(widths, widths[1:], dilations)
            ),
            nn.Conv2d(widths[-1], 2, kernel_size=3, padding=1),
        )


def propagate_flow(
    flow: Tensor, feat1: Tensor, feat2: Tensor, offsets: Sequence[int]
) -> Tensor:
    """Take a neighbour's flow wherever the features match better with it.

    The flow of a coarse level spreads an object's motion over what is beside
    it, farther than the next level's cost volume can mend. As in PatchMatch
    (Barnes et al., 2009), each cell tries the flows of the cells to its right
    and left, below and above it, one after the other, and keeps the one with
    which the features match best: with the smallest mean absolute difference
    over its patch of 3 x 3 cells. A pixel of motion, of this level, counts as
    0.3 % of the features' mean absolute value: on a plain surface all flows
    match, and the slowest of those tried is taken.

    Args:
        flow (Tensor): (N, 2, H, W), pixels of this level.
        feat1 (Tensor): (N, C, H, W), features of frame t.
        feat2 (Tensor): (N, C, H, W), features of frame t + 1.
        offsets (Sequence[int]): Distances in cells, in the order of trial.

    Returns:
        Tensor: (N, 2, H, W), pixels of this level.
    """
    # as warp's output is: subtracting channels-last maps takes twice as long
    feat1 = feat1.contiguous()
    slowness = SLOWNESS * feat1.abs().mean(
        (1, 2, 3), keepdim=True, dtype=flow.dtype
    )

    def cost(candidate: Tensor) -> Tensor:
        difference = warp(feat2, candidate).sub_(feat1).abs_()
        difference = difference.mean(1, keepdim=True, dtype=flow.dtype)
        # vector_norm takes twice as long as the sampling, over this dimension
        speed = candidate.square().sum(1, keepdim=True).sqrt()
        return F.avg_pool2d(
            difference + slowness * speed, 3, stride=1, padding=1
        )

    least = cost(flow)
    for k in offsets:
        for dx, dy in ((k, 0), (-k, 0), (0, k), (0, -k)):
            candidate = _shifted(flow, dx, dy)
            now = cost(candidate)
            flow = torch.where(now < least, candidate, flow)
            least = torch.minimum(now, least)
    return flow


def _shifted(x: Tensor, dx: int, dy: int) -> Tensor:
    """What is dx to the right and dy below, the border repeated."""
    margins = max(-dx, 0), max(dx, 0), max(-dy, 0), max(dy, 0)
    columns, rows = (slice(max(d, 0), min(d, 0) or None) for d in (dx, dy))
    return F.pad(x, margins, mode='replicate')[..., rows, columns]


def median_filter(x: Tensor) -> Tensor:
    """Median of 3 x 3 cells, the border repeated; (N, C, H, W) to the same.

    It is what lies between the largest of the rows' smallest, the median of
    their medians, and the smallest of their largest.
    """
    near = (-1, 0, 1)
    rows = [_sort3(*(_shifted(x, dx, dy) for dx in near)) for dy in near]
    least, middle, largest = (_sort3(*three) for three in zip(*rows))
    return _sort3(least[2], middle[1], largest[0])[1]


def _sort3(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    middle = torch.maximum(low, torch.minimum(high, c))
    return torch.minimum(low, c), middle, torch.maximum(high, c)


@MODELS.register_module()
class FlowDecoder(BaseModule):
    r"""Estimate optical flow from two pyramids, coarse to fine (PWC-Net).

    At each level the features of frame t + 1 are warped by the flow so far,
    correlated with those of frame t, and a small CNN adds a residual (paper
    section 3, P):

    .. math:: f_l = u_l + F_l(X_t, X_{t+1}, u_l), \quad u_l = 2\,up(f_{l+1})

    Args:
        in_channels (Sequence[int]): Channels of each level, fine to coarse.
        strides (Sequence[int]): Stride of each level, fine to coarse.
        finest (int): Index of the finest level that is estimated; the finer
            ones are left out. The paper does not say where it stops (?),
            PWC-Net stops at stride 4. Defaults to 0.
        radius (int): Radius of the cost volume (?; PWC-Net and T have 4).
        volume_scale (str): What the products over C channels are divided
            by: 'mean' C (PWC-Net, T) or 'sqrt' the root of C, as in RAFT,
            which keeps the volume of unrelated features at the size of the
            features themselves. Defaults to 'mean'.
        normalize (bool): Normalise both maps together before they are
            correlated, as UFlow does (arXiv 2006.04902). Defaults to False.
        level_dropout (float): In training, the probability that a level adds
            nothing to a sample's flow, so that the others learn to do
            without it (UFlow has 0.1). Defaults to 0.
        hidden (Sequence[int]): Width of the estimator's convolutions before
            the last. Defaults to PWC-Net's (128, 128, 96, 64, 32); the
            paper's "factor 2" of it is open (?).
        unit (float): An output of 1 of a level's CNN means this many pixels
            of the image, at every level. In pixels of the level, a small
            error at stride 64 would be 16 times the one at stride 4 and
            drown it early in training. Defaults to 20, PWC-Net's (?).
        max_flow (float): The flow of each level is clipped to this many
            pixels of that level (128, P; of which level: ?).
        shared (bool): One estimator for all levels, whose features come
            through a 1 x 1 convolution of ``shared_channels``, as in
            ARFlow (?). Defaults to False.
        shared_channels (int): See ``shared``. Defaults to 32.
        propagation (Sequence[int]): Distances, in cells of each level, of
            the neighbours whose flow is tried after the level's CNN, when
            not training, see :func:`propagate_flow`; what they leave is
            filtered by a median. Trained with it, flow became worse (I). Not
            in the paper. Defaults to (): neither.
        context (bool): Refine the finest flow by PWC-Net's context network
            (?). Defaults to False.
        with_cp (bool): Keep fewer of the estimators' maps for backward and
            compute them again there. Defaults to False.
        init_cfg (dict, optional): mmengine's initialisation. Defaults to
            Kaiming's for the leaky ReLU, and zero-mean, small last layers.

    Raises:
        ValueError: If the arguments or the features do not fit together.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        strides: Sequence[int],
        *,
        finest: int = 0,
        radius: int = 4,
        volume_scale: str = 'mean',
        normalize: bool = False,
        level_dropout: float = 0.0,
        hidden: Sequence[int] = (128, 128, 96, 64, 32),
        unit: float = 20.0,
        max_flow: float = 128.0,
        shared: bool = False,
        shared_channels: int = 32,
        propagation: Sequence[int] = (),
        context: bool = False,
        with_cp: bool = False,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if len(in_channels) != len(strides) or any(
            b <= a for a, b in itertools.pairwise(strides)
        ):
            raise ValueError(
                'FlowDecoder takes one channel count and one stride a level, '
                f'strides growing from fine to coarse, got {in_channels} and '
                f'{strides}.'
            )
        if not 0 <= finest < len(strides):
            raise ValueError(
                f'finest must be a level, 0 to '
                f'{len(strides) - 1}, got {finest}.'
            )
        if volume_scale not in ('mean', 'sqrt'):
            raise ValueError(
                f"volume_scale must be 'mean' or 'sqrt', got {volume_scale!r}."
            )
        if not 0 <= level_dropout < 1:
            raise ValueError(
                f'level_dropout is a probability below 1, got {level_dropout}.'
            )
        if not isinstance(propagation, (tuple, list)) or any(
            type(distance) is not int or distance < 1
            for distance in propagation
        ):
            raise ValueError(
                'propagation takes a list of distances, integers of 1 cell or '
                f'more, got {propagation!r}. Give () to leave it out.'
            )
        self.in_channels = tuple(in_channels)
        self.strides = tuple(strides)
        self.finest = finest
        self.radius = radius
        self.volume_scale = volume_scale
        self.normalize = normalize
        self.level_dropout = level_dropout
        self.unit = unit
        self.max_flow = max_flow
        self.shared = shared
        self.propagation = tuple(propagation)

        used = range(finest, len(strides))
        volume = (2 * radius + 1) ** 2
        if shared:
            self.project = nn.ModuleDict(
                {
                    str(i): nn.Conv2d(in_channels[i], shared_channels, 1)
                    for i in used
                }
            )
            self.estimator = FlowEstimator(
                volume + shared_channels + 2, hidden, with_cp
            )
        else:
            self.estimators = nn.ModuleDict(
                {
                    str(i): FlowEstimator(
                        volume + in_channels[i] + 2, hidden, with_cp
                    )
                    for i in used
                }
            )
        self.context = ContextNetwork(hidden[-1] + 2) if context else None

    def init_weights(self) -> None:
        super().init_weights()
        if self.init_cfg:
            return
        for module in self.modules():
            if not isinstance(module, nn.Conv2d):
                continue
            if module.out_channels == 2:
                # A residual of nearly nothing: the flow starts at zero.
                nn.init.normal_(module.weight, std=1e-3)
            else:
                nn.init.kaiming_normal_(module.weight, a=0.1)
            nn.init.zeros_(module.bias)

    def _estimate(
        self, level: int, feat1: Tensor, feat2: Tensor, flow: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One step of the recursion: hidden feature and flow of a level."""
        warped = warp(feat2, flow, padding_mode='zeros')
        extra_inputs = feat1
        if self.shared:
            extra_inputs = self.project[str(level)](feat1)
            estimator = self.estimator
        else:
            estimator = self.estimators[str(level)]
        if self.normalize:
            feat1, warped = _normalize(feat1, warped)
        channels = feat1.shape[1]
        hidden, residual = estimator(
            joined_cost_volume(
                feat1,
                warped,
                (extra_inputs, flow),
                self.radius,
                divisor=channels**0.5
                if self.volume_scale == 'sqrt'
                else channels,
                negative_slope=SLOPE,
            )
        )
        residual = residual * (self.unit / self.strides[level])
        if self.training and self.level_dropout:
            kept = torch.rand(len(flow), 1, 1, 1, device=flow.device)
            residual = residual * (kept >= self.level_dropout)
        # The flow itself stays in float32 under autocast: bfloat16 has no
        # half pixels beyond a motion of 128.
        return hidden, flow + residual.to(flow.dtype)

    def forward(
        self, feats1: Sequence[Tensor], feats2: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Estimate the flow from frame t to frame t + 1.

        Args:
            feats1 (Sequence[Tensor]): Pyramid of frame t, fine to coarse,
                level l is (N, C_l, H / s_l, W / s_l).
            feats2 (Sequence[Tensor]): Pyramid of frame t + 1.

        Returns:
            tuple[Tensor]: Flows of the levels from ``finest`` on, fine to
            coarse, (N, 2, H / s_l, W / s_l), pixels of the own level.
        """
        self._check(feats1)
        top = feats1[-1]
        flow = top.new_zeros(
            top.shape[0],
            2,
            *top.shape[-2:],
            dtype=torch.promote_types(top.dtype, torch.float32),
        )
        flows = []
        for level in range(len(self.strides) - 1, self.finest - 1, -1):
            flow = resize_flow(flow, feats1[level].shape[-2:])
            hidden, flow = self._estimate(
                level, feats1[level], feats2[level], flow
            )
            if level == self.finest and self.context is not None:
                refined = self.context(
                    torch.cat([hidden, flow.to(hidden.dtype)], dim=1)
                )
                refined = refined * (self.unit / self.strides[level])
                flow = flow + refined.to(flow.dtype)
            flow = flow.clamp(-self.max_flow, self.max_flow)
            if self.propagation and not self.training:
                flow = propagate_flow(
                    flow, feats1[level], feats2[level], self.propagation
                )
                flow = median_filter(flow)
            flows.append(flow)
        return tuple(reversed(flows))

    def _check(self, feats: Sequence[Tensor]) -> None:
        channels = tuple(x.shape[1] for x in feats)
        if channels != self.in_channels:
            raise ValueError(
                f'FlowDecoder was built for levels of {self.in_channels} '
                f'channels, got {channels}. Set its `in_channels` to the '
                "backbone's `out_channels`."
            )
        fine, step = feats[self.finest], self.strides[self.finest]
        for x, stride in zip(
            feats[self.finest :], self.strides[self.finest :]
        ):
            if any(
                a * step != b * stride
                for a, b in zip(fine.shape[-2:], x.shape[-2:])
            ):
                raise ValueError(
                    'The levels do not cover the same area: at stride '
                    f'{step} the map is {tuple(fine.shape[-2:])}, at stride '
                    f'{stride} it is {tuple(x.shape[-2:])}. Pad the images '
                    f'to a multiple of {self.strides[-1]} pixels.'
                )
